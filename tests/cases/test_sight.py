"""Who sees what before they have read: every address is asked, and its answer must not change.

The model's output of a case is scrambled between two identical requests. Where a person reads
blind, no byte of any answer may differ: no page, fragment, order, count, map or answer of the API
(R22). A rescreener finds no trace of the first read either (R6).
"""

import re
from dataclasses import replace
from itertools import count

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.authentication import Reauthentication
from accounts.models import User
from cases import activation, audit, bethesda, clock, sight, workflow
from cases.bethesda import Adequacy
from cases.models import Case, ClassificationFailure, Prediction
from cases.workflow import Decision
from inference.labels import CellClass
from tests import make
from tests.test_borders import ANSWERS, PATTERNS

Status = Case.Status
NILM = bethesda.Read(adequacy=Adequacy.SATISFACTORY, interpretations=("NILM",))
IMAGES = 3
TURNS = count(1)
MOMENT = timezone.now()  # at which every address is asked, so that no answer differs by its time
# ends what is walked, is everybody's, and draws a secret anew for each look
UNCONCERNED = ("logout", "api-schema", "factor-app")
POSTED = {row.split()[0] for row in ANSWERS} - {
    row.split()[0] for row in ANSWERS if row.endswith(" GET")
}

pytestmark = pytest.mark.django_db


# ── Every address ────────────────────────────────────────────────────────────────────────────────


def addresses(case):
    """Every address of the site and the API that names a case, or that needs no name at all."""
    image = case.images.all()[1]
    known = {"case_id": case.pk, "image_id": image.pk, "slug": "parabasal", "version": 1}
    for name, pattern in PATTERNS.items():
        if name in POSTED:
            continue
        names = [part.split(":")[-1] for part in pattern.replace(">", "<").split("<")[1::2]]
        if set(names) <= set(known) and name not in UNCONCERNED:
            yield name, reverse(name, kwargs={key: known[key] for key in names})
    yield from (("worklist", f"{reverse('worklist')}?state={s}") for s in ("mine", case.status))
    yield "dashboard", f"{reverse('dashboard')}?period=all"
    yield "cell", reverse("cell", args=[case.pk, case.images.first().pk])
    yield "details", f"{reverse('cell', args=[case.pk, image.pk])}?part=details"


CHANGING = re.compile(
    rb'(csrfmiddlewaretoken" value="|X-CSRFToken&quot;: &quot;|X-CSRFToken": ")\w+'
)


def logged_in(person):
    client = Client()
    client.force_login(person)
    User.objects.filter(pk=person.pk).update(last_login=MOMENT)  # their profile tells the minute
    return client


def answers(client, case):
    """What a person is told at every address: status, and the body without its own secrets."""
    told = {}
    for name, address in addresses(case):
        with transaction.atomic(), clock.at(MOMENT):
            answer = client.get(address)
            transaction.set_rollback(True)  # a look may be recorded: the next begins as this
        body = b"".join(answer) if answer.streaming else answer.content
        told[name, address] = (answer.status_code, CHANGING.sub(b"", body))
    told["decide"] = decided(client, case)
    return told


def decided(client, case):
    """What the API answers to a finding, taken back at once."""
    decision = {"image": str(case.images.all()[1].pk), "cell_class": "Metaplastic"}
    with transaction.atomic():
        answer = client.post(
            reverse("api-case-findings", args=[case.pk]),
            {"decisions": [decision]},
            content_type="application/json",
        )
        transaction.set_rollback(True)
    told = answer.json()
    for finding in told.get("findings", []):
        finding.pop("id"), finding.pop("made_at")
    return answer.status_code, told


def scramble(case):
    """Another model output every time, in everything that an answer has, the order of cells too."""
    turn = next(TURNS)
    sure = 0.97 - turn / 50
    run = case.runs.latest("queued_at")
    least_abnormal_first = Prediction.objects.filter(image__case=case).order_by(
        "abnormality", "-image__uploaded_at"
    )
    for place, image in enumerate([answer.image for answer in least_abnormal_first]):
        said = CellClass.DYSKERATOTIC if place % 2 else CellClass.KOILOCYTOTIC
        probabilities = [sure - place / 100 if one == said else 0.01 for one in CellClass]
        Prediction.objects.filter(image=image).update(
            cell_class=said,
            prediction_set=[said, CellClass.PARABASAL] if place == 1 else [said],
            probabilities=probabilities,
            confidence=sure - place / 100,
            abnormality=sure + 0.01 - place / 100,
            familiarity=0.001,
            reasons=["It cannot tell Dyskeratotic from Parabasal."] if place == 1 else [],
            activation_maps=activation.pack_maps(make.activation_maps(said, 9.0 + place + turn)),
        )
    ClassificationFailure.objects.update_or_create(
        run=run, image=case.images.last(), defaults={"reason": f"Unreadable {turn}."}
    )


def differing(person, case, before=None):
    """The addresses whose answers tell this person something of the model's output."""
    client = logged_in(person)
    before = before or answers(client, case)
    scramble(case)
    after = answers(client, case)
    assert before.keys() == after.keys()
    assert len(before) > 40
    return sorted({str(key[0]) for key in before if before[key] != after[key]})


# ── R22 ──────────────────────────────────────────────────────────────────────────────────────────


def blind(status, **chosen):
    """A case of a laboratory that reads blind first, and everybody there who has not read it."""
    laboratory = make.laboratory()
    make.reading(laboratory, **{"reading_order": "blind-first"} | chosen)
    by = make.cytotechnologist(laboratory=laboratory)
    make.model_version()
    case = make.case(status, by=by, images=IMAGES)
    return case, {
        "cytotechnologist": by,
        "senior": make.senior(laboratory=laboratory),
        "pathologist": make.pathologist(laboratory=laboratory),
        "administrator": make.administrator(laboratory=laboratory),
    }


@pytest.mark.parametrize(
    ("status", "who"),
    [
        (Status.AWAITING_REVIEW, "cytotechnologist"),
        (Status.REVIEWING, "pathologist"),
        (Status.AWAITING_SCREENING, "senior"),
        (Status.SCREENING, "administrator"),
    ],
)
def test_r22_no_address_tells_anyone_what_the_model_says_before_they_read(status, who):
    case, people = blind(status, primary_screening="screening" in status)

    assert differing(people[who], case) == []


@pytest.mark.parametrize(
    ("status", "who"),
    [
        (Status.AWAITING_SCREENING, make.cytotechnologist),
        (Status.AWAITING_REVIEW, make.pathologist),
    ],
)
def test_r22_no_address_tells_the_reader_what_the_model_says_until_they_commit(status, who):
    case, _ = blind(status, primary_screening=status == Status.AWAITING_SCREENING)
    reader = who(laboratory=case.laboratory)
    case = workflow.claim(case, reader)
    first, *others = case.images.all()
    find(case, reader, [first])

    assert differing(reader, case) == []
    find(case, reader, others)
    case = workflow.commit(case, reader, NILM)
    shown = differing(reader, case)
    assert {"case-detail", "cell", "api-case-detail", "api-case-activation"} <= set(shown)


@pytest.mark.parametrize(
    ("status", "who"),
    [
        (Status.DRAFT, "pathologist"),
        (Status.AWAITING_REVIEW, "cytotechnologist"),
        (Status.REVIEWING, "pathologist"),
        (Status.RESCREENING, "senior"),
    ],
)
def test_r22_no_address_tells_the_name_of_a_file_which_may_tell_a_class(status, who):
    case, people = blind(status)
    name_elsewhere(case)

    told = answers(logged_in(people[who]), case)

    assert [key for key, (_, body) in told.items() if b"by-elsewhere" in body] == []


def name_elsewhere(case):
    """The files come from somebody else's sorting, and stand in the trail as well."""
    for image in case.images.all():
        case.images.filter(pk=image.pk).update(name=f"dysk-by-elsewhere-{image.pk.hex}.png")
        audit.record(case, case.accessioned_by, "add_image", image=str(image.pk))


def test_r22_names_of_files_are_shown_with_the_models_output_and_to_who_fills_the_draft():
    case, people = blind(Status.DRAFT)
    name_elsewhere(case)
    pathologist = people["pathologist"]
    preparing = answers(logged_in(people["cytotechnologist"]), case)
    read = make.case(Status.AWAITING_REVIEW, by=people["cytotechnologist"], images=IMAGES)
    name_elsewhere(read)
    read = workflow.claim(read, pathologist)
    find(read, pathologist)
    read = workflow.commit(read, pathologist, NILM)
    committed = answers(logged_in(pathologist), read)

    for told, names in ((preparing, {"case-detail"}), (committed, {"case-detail", "cell"})):
        telling = {key[0] for key, (_, body) in told.items() if b"by-elsewhere" in body}
        assert names | {"api-case-detail", "case-trail"} <= telling


def test_cells_of_hidden_names_do_not_stand_in_the_order_of_their_names():
    case, people = blind(Status.AWAITING_REVIEW)
    for place, image in enumerate(case.images.all()):
        case.images.filter(pk=image.pk).update(name=f"{9 - place}.png")
    uploaded = [image.pk for image in case.images.all()]
    client = logged_in(people["pathologist"])
    layout = {"sort": "file", "next": reverse("case-detail", args=[case.pk])}

    page = client.post(reverse("gallery-layout"), layout, follow=True)

    assert [cell.image.pk for cell in page.context["cells"]] == uploaded
    assert "file" not in page.context["sorts"]


def test_r22_who_reads_assisted_is_told_at_once_so_the_walk_would_notice():
    laboratory = make.laboratory()
    case = make.case(
        Status.AWAITING_REVIEW, by=make.cytotechnologist(laboratory=laboratory), images=IMAGES
    )

    told = differing(make.pathologist(laboratory=laboratory), case)

    assert {"case-detail", "cell", "api-case-detail", "api-case-fhir", "dashboard"} <= set(told)


def find(case, user, images=None, exclusion=""):
    images = images or list(case.images.all())
    workflow.display(case, user, [image.pk for image in images])
    decisions = [Decision(image_id=image.pk, cell_class="Parabasal") for image in images]
    if exclusion:
        decisions[0] = Decision(image_id=images[0].pk, exclusion=exclusion)
    workflow.decide(case, user, decisions)


def test_r22_the_pages_say_why_nothing_of_the_model_is_shown(client):
    case, people = blind(Status.AWAITING_REVIEW)
    case = workflow.claim(case, people["pathologist"])
    client.force_login(case.reviewer)
    image = case.images.first()

    gallery = client.get(reverse("case-detail", args=[case.pk])).text
    cell = client.get(reverse("cell", args=[case.pk, image.pk])).text
    map_of_it = client.get(reverse("api-case-activation", args=[case.pk, image.pk]))

    assert "You read this case blind" in gallery
    assert "in which they were uploaded" in gallery
    assert "Model:" not in gallery
    assert "<kbd>Space</kbd> Confirm the model" not in gallery + cell
    assert "Shown to you once you have committed your own read" in cell
    assert map_of_it.status_code == 403
    assert "R22" in map_of_it.json()["detail"]


def test_r22_who_has_yet_to_read_is_not_told_what_a_colleague_changed_after_the_reveal_and_why():
    case, people = blind(Status.AWAITING_SCREENING, primary_screening=True)
    screener, pathologist = people["cytotechnologist"], people["pathologist"]
    lsil = bethesda.Read(adequacy=Adequacy.SATISFACTORY, interpretations=("LSIL",))
    case = workflow.claim(case, screener)
    find(case, screener)
    case = workflow.commit(case, screener, replace(NILM, observations=("CANDIDA",)))
    case = workflow.conclude(case, screener, lsil, "MARKED-REASON")
    names = ("case-trail", "api-case-trail", "api-case-detail")
    client = logged_in(pathologist)

    def told():
        pages = [client.get(reverse(name, args=[case.pk])).text for name in names]
        return ["MARKED-REASON" in page for page in pages], ["CANDIDA" in page for page in pages]

    before = told()
    case = workflow.claim(case, pathologist)
    find(case, pathologist)
    workflow.commit(case, pathologist, lsil)

    assert before == ([False] * 3, [False] * 3)
    assert told() == ([True] * 3, [True] * 3)


def test_r22_read_model_and_final_read_stand_side_by_side_in_report_and_trail(client):
    case, people = blind(Status.AWAITING_REVIEW)
    reader = people["pathologist"]
    case = workflow.claim(case, reader)
    find(case, reader)
    workflow.commit(case, reader, NILM)
    image = case.images.first()
    finding = image.findings.get(withdrawn_at=None)
    change = Decision(image_id=image.pk, cell_class="Koilocytotic", replaces=finding.pk)
    workflow.decide(case, reader, [change])
    lsil = bethesda.Read(adequacy=Adequacy.SATISFACTORY, interpretations=("LSIL",))
    proof = Reauthentication(user_id=reader.pk, at=timezone.now(), method="password")
    workflow.sign(case, reader, lsil, proof, reason="A halo, on second sight.")
    client.force_login(reader)

    report = client.get(reverse("case-report", args=[case.pk])).text
    trail = client.get(reverse("case-trail", args=[case.pk])).text

    for page in (report, trail):
        assert "<td>NILM</td>" in page
        assert "A halo, on second sight." in page
    for heading in ("Before the model was shown", "In the end"):
        assert f'<th scope="col">{heading}</th>' in report
    before = '<td data-label="Before the model was shown">Parabasal</td>'
    rows = [row for row in report.split("<tr>") if before in row]
    assert sum("Koilocytotic" in row for row in rows) == 1


# ── R6 ───────────────────────────────────────────────────────────────────────────────────────────

MARKED = bethesda.Read(
    adequacy=Adequacy.SATISFACTORY,
    interpretations=("NILM",),
    observations=("ACTINOMYCES",),
    comment="MARKED-COMMENT",
)
MARKS = (b"MARKED-COMMENT", b"MARKED-EXCLUSION", b"ctinomyces", b"ACTINOMYCES")


def awaiting_rescreen(order="assisted"):
    laboratory = make.laboratory()
    make.reading(
        laboratory,
        primary_screening=True,
        cytotechnologists_sign=True,
        rescreen_percent=100,
        reading_order=order,
    )
    make.model_version()
    screener = make.cytotechnologist(laboratory=laboratory)
    case = make.case(Status.AWAITING_SCREENING, by=screener, images=IMAGES)
    case = workflow.claim(case, screener)
    find(case, screener, exclusion="MARKED-EXCLUSION")
    case = workflow.commit(case, screener, MARKED)
    if order == "blind-first":
        case = workflow.conclude(case, screener, MARKED)
    assert case.status == Status.AWAITING_RESCREEN
    return case


FORM = re.compile(rb'<input type="checkbox"[^>]*>\s*<span>.*?</span></label>', re.DOTALL)


def traces(person, case):
    """The addresses at which this person finds something of the first read."""
    return marked(answers(logged_in(person), case))


def marked(told):
    found = set()
    for key, (_, said) in told.items():
        body = FORM.sub(b"", said) if isinstance(said, bytes) else str(said).encode()
        if any(mark in body for mark in MARKS):
            found.add(key[0] if isinstance(key, tuple) else key)
    return found


@pytest.mark.parametrize(
    ("who", "order"), [(make.pathologist, "assisted"), (make.senior, "blind-first")]
)
def test_r6_the_rescreener_finds_neither_the_first_read_nor_the_models_output(who, order):
    case = awaiting_rescreen(order)
    rescreener = who(laboratory=case.laboratory)

    assert traces(rescreener, case) == set()
    case = workflow.claim(case, rescreener)
    assert traces(rescreener, case) == set()
    find(case, rescreener)
    told = answers(logged_in(rescreener), case)
    assert marked(told) == set()
    assert differing(rescreener, case, told) == []
    case = workflow.commit(case, rescreener, NILM)
    assert {"case-trail", "api-case-trail", "api-case-detail"} <= traces(rescreener, case)


@pytest.mark.parametrize("status", [Status.QUEUED, Status.CLASSIFYING, Status.FAILED])
def test_r6_while_a_case_is_classified_again_who_may_rescreen_it_sees_no_older_answer(status):
    case = make.case(Status.AWAITING_SCREENING, images=1)
    make.reading(case.laboratory, primary_screening=True)
    Case.objects.update(status=status)

    seen = sight.of(make.senior(laboratory=case.laboratory), case)

    assert (seen.model, seen.reads) == (False, False)


def test_r6_nobody_who_may_still_rescreen_sees_the_first_read_while_it_is_made():
    laboratory = make.laboratory()
    make.reading(laboratory, primary_screening=True, cytotechnologists_sign=True)
    make.model_version()
    screener = make.cytotechnologist(laboratory=laboratory)
    case = make.case(Status.AWAITING_SCREENING, by=screener, images=IMAGES)
    case = workflow.claim(case, screener)
    find(case, screener, exclusion="MARKED-EXCLUSION")

    for other in (make.senior(laboratory=laboratory), make.pathologist(laboratory=laboratory)):
        assert traces(other, case) == set()
    assert "case-detail" in traces(screener, case)
