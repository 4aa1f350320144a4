"""Submit, claim, decide, sign through the API: effects, and refusals in the pages' words."""

import json
from uuid import uuid4

import pytest
from django.contrib.messages import get_messages
from django.urls import reverse

from cases import queries, workflow
from cases.models import Case, Finding
from cases.signature import MEANING
from tests import make
from tests.cases.api import NILM, as_person, url, with_token
from tests.cases.test_workflow_states import ALSO_FROM
from tests.make_accounts import PASSWORD

pytestmark = pytest.mark.django_db

Status = Case.Status
DISCLAIMER = "Research and education only, not for diagnosis."


def in_review(images=2):
    return make.case(Status.REVIEWING, images=images, reviewer=make.pathologist())


def decide(client, case, *decisions):
    return client.post(url("case-findings", case), {"decisions": list(decisions)})


def decision(image, cell_class="Parabasal", **fields):
    return {"image": str(image.pk), "cell_class": cell_class} | fields


# ── The verbs without a body ─────────────────────────────────────────────────────────────────────

VERBS = {
    "submit": (Status.DRAFT, Status.QUEUED, "accessioned_by"),
    "retry": (Status.FAILED, Status.QUEUED, "accessioned_by"),
    "claim": (Status.AWAITING_REVIEW, Status.REVIEWING, None),
    "release": (Status.REVIEWING, Status.AWAITING_REVIEW, "reviewer"),
}


def prepared(verb, state):
    """A case in this state, with the person who calls this verb."""
    make.model_version()
    case = make.case(state, images=1)
    role = VERBS[verb][2]
    return case, (role and getattr(case, role)) or make.pathologist(laboratory=case.laboratory)


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_moves_the_case_and_tells_it_whole(verb):
    source, target, _ = VERBS[verb]
    case, user = prepared(verb, source)

    answer = with_token(user).post(url(f"case-{verb}", case))

    assert answer.status_code == 200
    told = answer.json()
    assert (told["id"], told["status"], told["disclaimer"]) == (str(case.pk), target, DISCLAIMER)
    case.refresh_from_db()
    assert case.status == target
    assert [(event.action, event.actor) for event in case.events.all()] == [(verb, user)]


@pytest.mark.parametrize(
    ("verb", "state"),
    [
        (verb, state)
        for verb, (source, *_) in VERBS.items()
        for state in Status
        if state not in {source, *ALSO_FROM.get(verb, ())}
    ],
)
def test_a_verb_that_does_not_fit_is_refused_in_the_pages_words(verb, state, client):
    case, user = prepared(verb, state)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")

    answer = with_token(user).post(url(f"case-{verb}", case))
    page = client.post(reverse(f"case-{verb}", args=[case.pk]))

    assert answer.status_code == 409
    [message] = get_messages(page.wsgi_request)
    assert answer.json() == {"detail": str(message)}
    assert answer.json()["detail"].startswith(f"Cannot {verb} a case that is ")
    case.refresh_from_db()
    assert case.status == state


def test_a_case_without_images_is_not_submitted():
    make.model_version()
    case = make.case()

    answer = as_person(case.accessioned_by).post(url("case-submit", case))

    assert answer.status_code == 409
    assert answer.json() == {
        "detail": "A case needs at least one cell image before it can be submitted."
    }


# ── Findings ─────────────────────────────────────────────────────────────────────────────────────


def test_findings_are_kept_and_told_with_the_progress_of_the_review():
    case = in_review(images=3)
    first, second, _ = case.images.all()

    answer = decide(
        with_token(case.reviewer),
        case,
        decision(first),
        decision(second, "", exclusion="Out of focus"),
    )

    assert answer.status_code == 200
    told = answer.json()
    assert [
        (f["image"], f["cell_class"], f["exclusion"], f["agrees"]) for f in told["findings"]
    ] == [
        (str(first.pk), "Parabasal", "", True),
        (str(second.pk), "", "Out of focus", None),
    ]
    assert told["progress"] == {"images": 3, "displayed": 0, "decided": 1, "excluded": 1}
    assert told["disclaimer"] == DISCLAIMER
    detail = as_person(case.reviewer).get(url("case-detail", case)).json()
    assert detail["findings"] == told["findings"]


def test_a_finding_is_corrected_by_who_has_seen_the_one_that_stands():
    case = in_review(images=1)
    client = as_person(case.reviewer)
    image = case.images.get()
    [standing] = decide(client, case, decision(image)).json()["findings"]

    answer = decide(client, case, decision(image, "Koilocytotic", replaces=standing["id"]))

    [finding] = answer.json()["findings"]
    assert (finding["cell_class"], finding["agrees"]) == ("Koilocytotic", False)
    assert answer.json()["progress"]["decided"] == 1
    assert Finding.objects.filter(withdrawn_at=None).count() == 1


def test_a_finding_is_withdrawn_by_a_decision_that_says_nothing():
    case = in_review(images=1)
    client = as_person(case.reviewer)
    image = case.images.get()
    [standing] = decide(client, case, decision(image)).json()["findings"]

    answer = decide(client, case, {"image": str(image.pk), "replaces": standing["id"]})

    assert answer.json()["findings"] == []
    assert answer.json()["progress"] == {"images": 1, "displayed": 0, "decided": 0, "excluded": 0}


def test_a_stale_finding_overwrites_nothing_and_is_told_what_stands():
    case = in_review(images=2)
    client = as_person(case.reviewer)
    first, second = case.images.all()
    [standing] = decide(client, case, decision(first, "Koilocytotic")).json()["findings"]

    answer = decide(client, case, decision(second), decision(first, "Parabasal"))

    assert answer.status_code == 409
    told = answer.json()
    assert told["detail"] == (
        "The finding for one of these cells was changed elsewhere meanwhile. "
        "Nothing was overwritten; look at the newer one first."
    )
    assert told["findings"] == [standing]
    assert told["disclaimer"] == DISCLAIMER
    assert Finding.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"cell_class": "Banana"}, "Banana is not one of the five classes."),
        ({"exclusion": "Blurred"}, "A cell has a class or is excluded, not both."),
        ({"image": str(uuid4())}, "This image is not in the case."),
    ],
)
def test_a_decision_that_makes_no_sense_is_refused_in_a_sentence(changes, sentence):
    case = in_review(images=1)

    answer = decide(as_person(case.reviewer), case, decision(case.images.get()) | changes)

    assert (answer.status_code, answer.json()) == (400, {"detail": sentence})
    assert not Finding.objects.exists()


@pytest.mark.parametrize(
    "decisions", [[], [{"cell_class": "Parabasal"}], [{"image": "1"}], "x"], ids=str
)
def test_decisions_that_are_none_are_named(decisions):
    case = in_review(images=1)

    answer = as_person(case.reviewer).post(url("case-findings", case), {"decisions": decisions})

    assert answer.status_code == 400
    assert set(answer.json()) == {"decisions"}


def test_cells_are_decided_in_review_alone():
    case = make.case(Status.AWAITING_REVIEW, images=1)

    answer = decide(
        as_person(make.pathologist(laboratory=case.laboratory)), case, decision(case.images.get())
    )

    assert answer.status_code == 409
    assert answer.json() == {
        "detail": "Cannot decide on the cells of a case that is awaiting review: nobody holds it. "
        "Claim it first; earlier findings of yours are kept."
    }


# ── Displays ─────────────────────────────────────────────────────────────────────────────────────


def test_what_a_program_showed_to_its_reader_is_kept_and_counted():
    case = in_review(images=2)
    first = case.images.first()

    answer = as_person(case.reviewer).post(url("case-displays", case), {"images": [str(first.pk)]})

    assert answer.status_code == 200, answer.content
    assert answer.json()["progress"] == {"images": 2, "displayed": 1, "decided": 0, "excluded": 0}
    assert list(queries.displays(case).values_list("image_id", flat=True)) == [first.pk]


@pytest.mark.parametrize("images", [[], ["no id"], ["00000000-0000-0000-0000-000000000000"]])
def test_what_cannot_have_been_displayed_is_refused(images):
    case = in_review(images=1)

    answer = as_person(case.reviewer).post(url("case-displays", case), {"images": images})

    assert answer.status_code == 400


# ── Signature ────────────────────────────────────────────────────────────────────────────────────


def ready_to_sign(images=1):
    case = in_review(images)
    for image in case.images.all():
        make.finding(case, image)
    return case


def sign(client, case, **changes):
    return client.post(url("case-sign", case), NILM | changes)


@pytest.mark.parametrize("client_of", [as_person, with_token])
def test_signing_takes_the_password_and_tells_the_report(client_of):
    case = ready_to_sign()

    answer = sign(client_of(case.reviewer), case, observations=["CANDIDA"], comment="Seen.")

    assert answer.status_code == 200, answer.content
    told = answer.json()
    report = case.reports.get()
    assert told["status"] == "signed"
    assert told["report"]["digest"] == report.digest
    assert told["report"]["matches"] is True
    assert told["report"]["meaning"] == MEANING
    assert told["report"]["signed_by"]["name"] == case.reviewer.name
    assert told["report"]["read"] == json.loads(report.content)["read"]
    assert told["report"]["read"]["observations"] == ["CANDIDA"]
    assert told["signed_at"] is not None


def test_r20_a_wrong_password_signs_nothing_and_counts_towards_the_lock_out(settings):
    case = ready_to_sign()
    client = with_token(case.reviewer)

    answers = [sign(client, case, password="a guess") for _ in range(settings.AXES_FAILURE_LIMIT)]
    right = sign(client, case, password=PASSWORD)

    assert {answer.status_code for answer in [*answers, right]} == {403}
    assert answers[0].json() == {"detail": "That is not your password."}
    assert right.json()["detail"].startswith("Too many wrong passwords")
    case.refresh_from_db()
    assert case.status == Status.REVIEWING
    assert not case.reports.exists()


def test_a_case_with_an_undecided_cell_is_not_signed():
    case = in_review(images=2)
    make.finding(case, case.images.first())

    answer = sign(as_person(case.reviewer), case)

    assert answer.status_code == 409
    assert answer.json() == {
        "detail": "One cell has no finding yet. Decide on every cell or exclude it first."
    }


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"interpretations": []}, "(R3)"),
        ({"interpretations": ["NILM", "LSIL"]}, "(R4)"),
        ({"adequacy": "UNSAT"}, "(R3)"),
    ],
)
def test_a_read_that_breaks_a_rule_is_not_signed(changes, rule):
    case = ready_to_sign()

    answer = sign(as_person(case.reviewer), case, **changes)

    assert answer.status_code == 409
    assert rule in answer.json()["detail"]
    case.refresh_from_db()
    assert case.status == Status.REVIEWING


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"adequacy": "FINE"}, "adequacy"),
        ({"interpretations": ["CIN3"]}, "interpretations"),
        ({"interpretations": "NILM"}, "interpretations"),
        ({"ec_tz": "MAYBE"}, "ec_tz"),
        ({"password": ""}, "password"),
    ],
)
def test_a_code_that_is_unknown_is_named_by_its_field(changes, field):
    case = ready_to_sign()

    answer = sign(as_person(case.reviewer), case, **changes)

    assert answer.status_code == 400
    assert set(answer.json()) == {field}


def test_a_signed_case_is_not_signed_again():
    case = ready_to_sign()
    client = as_person(case.reviewer)
    sign(client, case)

    answer = sign(client, case)

    assert answer.status_code == 409
    assert answer.json() == {"detail": "Cannot sign a case that is signed."}
    assert case.reports.count() == 1


def test_who_claims_again_finds_their_own_findings_and_nobody_elses():
    case = in_review(images=1)
    first = case.reviewer
    make.finding(case, case.images.get())
    workflow.release(case, first)
    second = make.pathologist(laboratory=case.laboratory)

    other = as_person(second).post(url("case-claim", case)).json()
    as_person(second).post(url("case-release", case))
    own = as_person(first).post(url("case-claim", case)).json()

    assert (len(other["findings"]), len(own["findings"])) == (0, 1)
