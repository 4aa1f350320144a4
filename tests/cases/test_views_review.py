"""The pathologist's pages: what they show, what they refuse, what a refusal keeps."""

import json
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from pytest_django.asserts import assertContains, assertNotContains, assertRedirects

from accounts.authentication import Reauthentication
from cases import arrangement, bethesda, signature, workflow
from cases.bethesda import Adequacy
from cases.models import Case, ClassificationFailure, Finding, Report
from inference.labels import CellClass
from tests import make
from tests.make_accounts import PASSWORD

Status = Case.Status
READ = bethesda.Read(
    adequacy=Adequacy.SATISFACTORY,
    interpretations=("LSIL",),
    observations=("CANDIDA",),
    comment="Repeat in\na year.",
)

pytestmark = pytest.mark.django_db


def page_of(name, case, *more):
    return reverse(name, args=[case.pk, *[thing.pk for thing in more]])


def in_review(client, images=2, **fields):
    """A case that the person who is logged in reads."""
    case = make.case(Status.REVIEWING, images=images, **fields)
    client.force_login(case.reviewer)
    return case


def decided(client, cell_class=CellClass.PARABASAL, images=2):
    case = in_review(client, images)
    for image in case.images.all():
        make.finding(case, image, cell_class)
    return case


def signed(client):
    case = decided(client, CellClass.KOILOCYTOTIC)
    user = case.reviewer
    return workflow.sign(
        case, user, READ, Reauthentication(user_id=user.pk, at=timezone.now(), method="password")
    )


def form(**changes):
    return {"adequacy": "SAT", "interpretations": ["NILM"], "password": PASSWORD} | changes


# ── The gallery ──────────────────────────────────────────────────────────────────────────────────


def test_the_gallery_of_the_holder_has_every_cell_its_keys_and_no_finding_of_its_own(client):
    case = in_review(client, images=3)

    answer = client.get(page_of("case-detail", case))

    assertContains(answer, 'class="cell"', count=3)
    assert tiles(answer).count("none yet") == 3
    assertContains(answer, "data-give=", count=5)
    assertContains(answer, "Research and education only, not for diagnosis.")
    for image in case.images.all():
        assertContains(answer, page_of("cell", case, image))
        assertContains(answer, page_of("thumbnail", case, image))


def test_what_the_model_said_is_marked_as_the_models(client):
    case = make.case(Status.QUEUED, images=1)
    make.prediction(make.run(case, "done"), case.images.get(), CellClass.KOILOCYTOTIC)
    Case.objects.update(status=Status.AWAITING_REVIEW)
    client.force_login(case.accessioned_by)

    answer = client.get(page_of("case-detail", case))

    for words in ("Model:", "80 %", "abnormal</span>"):
        assert tiles(answer).count(words) == 1


def test_the_gallery_says_in_words_what_the_reader_found(client):
    case = in_review(client, images=3)
    one, two, three = case.images.all()
    make.finding(case, one, CellClass.PARABASAL)
    make.finding(case, two, CellClass.METAPLASTIC)
    make.finding(case, three, exclusion="Out of focus")

    answer = client.get(page_of("case-detail", case))

    for words in ("</span> Confirmed</span>", "Corrected to Metaplastic", "Excluded: Out of focus"):
        assert tiles(answer).count(words) == 1
    assert answer.context["tally"].decided == 2
    assert (answer.context["tally"].excluded, answer.context["tally"].undecided) == (1, 0)


def test_an_image_that_was_not_classified_comes_first_with_the_reason(client):
    case = in_review(client, images=2)
    run = case.runs.get()
    unread = make.image(case, 9)
    ClassificationFailure.objects.create(run=run, image=unread, reason="The file is damaged.")

    answer = client.get(page_of("case-detail", case))

    assert answer.context["cells"][0].image == unread
    assertContains(answer, "no answer. The file is damaged.")


WHY = "It cannot tell Metaplastic from Parabasal."


def doubtful(client, images=1):
    """A case in review on whose first cell the model abstained."""
    case = in_review(client, images)
    image = case.images.first()
    make.abstain(case, image)
    return case, image


def test_r24_an_abstention_is_a_human_look_with_its_reason_and_no_class(client):
    case, image = doubtful(client, images=2)

    answer = client.get(page_of("case-detail", case))

    assert answer.context["cells"][0].image == image
    [tile] = re.findall(
        rf'<li class="cell" data-cell="{image.pk}".*?</li>', page(answer), re.DOTALL
    )
    assert "Needs a human look" in tile
    assert WHY in tile
    assert 'data-model=""' in tile
    assert f'data-reasons="{WHY}"' in tile
    assert "class-name" not in tile
    assertContains(answer, "1 of 2 needs a human look:")


def tiles(answer):
    """The list of the gallery alone: the large view, hidden, has the first of its cells."""
    return page(answer).split("<ol")[1].split("</ol>")[0]


def page(answer):
    return answer.content.decode()


def test_r24_a_class_given_where_the_model_abstained_is_neither_confirmed_nor_corrected(client):
    case, image = doubtful(client)
    finding = make.finding(case, image, CellClass.METAPLASTIC)

    answer = client.get(page_of("case-detail", case))

    assert finding.agrees is None
    assertContains(answer, "Finding:</span> Metaplastic</span>")
    assertNotContains(answer, "Confirmed")
    assertNotContains(answer, "Corrected to")


def test_a_newer_model_is_offered_to_those_who_may_ask_it_while_nobody_reads(client):
    case = make.case(Status.AWAITING_REVIEW, images=1)
    ask = page_of("case-reclassify", case)
    client.force_login(case.accessioned_by)

    before = client.get(page_of("case-detail", case))
    make.newer_model_version()
    offered = client.get(page_of("case-detail", case))
    client.force_login(make.administrator(laboratory=case.laboratory))
    administrator = client.get(page_of("case-detail", case))
    client.force_login(case.accessioned_by)
    asked = client.post(ask)

    assertNotContains(before, ask)
    assertContains(offered, ask)
    assertNotContains(administrator, ask)
    assertRedirects(asked, page_of("case-detail", case))
    case.refresh_from_db()
    assert case.status == Status.QUEUED


def test_others_see_who_holds_the_case_and_have_no_keys(client):
    case = make.case(Status.REVIEWING, images=1)
    client.force_login(make.pathologist(laboratory=case.laboratory))

    answer = client.get(page_of("case-detail", case))

    assertContains(answer, f"{case.reviewer.name} holds this case")
    assertNotContains(answer, "data-give=")
    assertNotContains(answer, page_of("case-release", case))


def test_only_a_pathologist_is_offered_to_claim(client):
    case = make.case(Status.AWAITING_REVIEW, images=1)
    claim = page_of("case-claim", case)

    client.force_login(case.accessioned_by)
    assertNotContains(client.get(page_of("case-detail", case)), claim)
    client.force_login(make.pathologist(laboratory=case.laboratory))
    assertContains(client.get(page_of("case-detail", case)), claim)


@pytest.mark.parametrize("page", ["case-detail", "case-sign", "cell"])
def test_a_page_asks_the_database_as_often_for_three_cells_as_for_one(client, page):
    few, many = (make.case(Status.REVIEWING, images=n) for n in (1, 3))
    for case in (few, many):
        for image in case.images.all():
            make.finding(case, image)
    counts = []

    for case in (few, many):
        client.force_login(case.reviewer)
        more = [case.images.first()] if page == "cell" else []
        client.get(page_of(page, case, *more))  # the session notes the visit
        with CaptureQueriesContext(connection) as asked:
            client.get(page_of(page, case, *more))
        counts.append(len(asked))

    assert counts[0] == counts[1] > 0


def test_the_gallery_is_laid_out_as_each_reader_asked(client):
    case = in_review(client, images=3)
    one, two, three = case.images.all()
    for image, cell_class in ((one, "Parabasal"), (three, "Dyskeratotic")):
        make.finding(case, image, cell_class)
    gallery = page_of("case-detail", case)
    chosen = {"sort": "class", "flag": "", "size": "small", "cell_class": "", "next": gallery}

    kept = client.post(reverse("gallery-layout"), chosen)
    sorted_ones = client.get(gallery).context["cells"]
    client.post(reverse("gallery-layout"), chosen | {"cell_class": "Dyskeratotic"})
    filtered = client.get(gallery)
    everything = client.get(gallery, {"all": ""})
    client.force_login(make.pathologist(laboratory=case.laboratory))
    of_another = client.get(gallery).context

    assertRedirects(kept, gallery)
    assert [cell.image for cell in sorted_ones] == [three, one, two]
    assert [cell.image for cell in filtered.context["cells"]] == [three]
    assertContains(filtered, "Shown are <b>1</b> of 3 cells")
    assert len(filtered.context["rows"]) == 3  # the others count all the same
    assert filtered.context["tally"].images == 3
    assert len(everything.context["cells"]) == 3
    assert (of_another["layout"].sort, len(of_another["cells"])) == ("need", 3)


def test_a_layout_that_makes_no_sense_is_as_if_it_were_not_chosen(client):
    case = in_review(client)

    answer = client.post(
        reverse("gallery-layout"),
        {"sort": "x", "size": "huge", "flag": "?", "next": "https://elsewhere.example/"},
    )

    assertRedirects(answer, reverse("worklist"))
    layout = client.get(page_of("case-detail", case)).context["layout"]
    assert layout == arrangement.Layout()


def test_the_case_shows_what_else_is_known_of_its_patient(client):
    case = signed(client)
    later = make.case(
        Status.AWAITING_REVIEW, images=1, by=case.accessioned_by, patient=case.patient
    )
    same_id_elsewhere = make.case(Status.AWAITING_REVIEW, images=1)

    answer = client.get(page_of("case-detail", later))

    [other] = answer.context["earlier"]
    assert other == case
    assertContains(answer, "<b>LSIL</b>")
    assertContains(answer, page_of("case-report", case))
    assertNotContains(answer, same_id_elsewhere.accession_number)


# ── Keys ─────────────────────────────────────────────────────────────────────────────────────────


def keys_of(client):
    return {act.name: act.key for act, _ in client.get(reverse("reading-keys")).context["rows"]}


def test_a_reader_changes_a_key_and_has_it_in_the_gallery(client):
    case = in_review(client)
    wanted = keys_of(client) | {"exclude": "E", "confirm": "Space"}

    answer = client.post(reverse("reading-keys"), wanted)
    gallery = client.get(page_of("case-detail", case))
    reset = client.post(reverse("reading-keys"), {"reset": "yes"})

    assertRedirects(answer, reverse("reading-keys"))
    assert gallery.context["keymap"]["e"] == "exclude"
    assert "x" not in gallery.context["keymap"]
    assertContains(gallery, "<kbd>E</kbd> Exclude")
    assertRedirects(reset, reverse("reading-keys"))
    assert keys_of(client)["exclude"] == "x"


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ("u", "\u201cUndo, as often as you like\u201d has the key U too."),
        ("", "Every act needs a key."),
        ("Shift+\u2190", "Shift with an arrow selects cells"),
        ("F5", "F5 is no key to choose"),
        ("ArrowLeft", "ArrowLeft is no key to choose"),
    ],
)
def test_a_key_that_cannot_be_is_refused_and_what_was_typed_stays(client, key, sentence):
    client.force_login(make.pathologist())
    wanted = keys_of(client) | {"exclude": key, "sign": "q"}

    answer = client.post(reverse("reading-keys"), wanted)

    assertContains(answer, sentence)
    assert {act.name: act.key for act, _ in answer.context["rows"]}["sign"] == "q"
    assert keys_of(client)["sign"] == "s"


def test_who_changes_a_key_in_the_middle_of_a_case_comes_back_to_it(client):
    gallery = page_of("case-detail", in_review(client))
    keys_page = reverse("reading-keys")

    assertContains(client.get(gallery), f"{keys_page}?next={gallery}")
    assertContains(client.get(keys_page, {"next": gallery}), f'href="{gallery}"')
    answer = client.post(f"{keys_page}?next={gallery}", keys_of(client) | {"undo": "z"})
    astray = client.post(f"{keys_page}?next=https://elsewhere.example/", keys_of(client))

    assertRedirects(answer, gallery)
    assertRedirects(astray, keys_page)


def test_what_moves_a_large_picture_has_keys_to_change_as_well(client):
    case = in_review(client)
    wanted = keys_of(client) | {"pan-left": "Shift+\u2191", "pan-up": "i"}

    answer = client.post(reverse("reading-keys"), wanted)
    gallery = client.get(page_of("case-detail", case))
    twice = client.post(reverse("reading-keys"), wanted | {"pan-up": "Shift+\u2191"})

    assertRedirects(answer, reverse("reading-keys"))
    assert gallery.context["keymap"]["Shift+Up"] == "pan-left"
    assert gallery.context["keymap"]["i"] == "pan-up"
    assert "Shift+Left" not in gallery.context["keymap"]
    assertContains(gallery, "<kbd>Shift+\u2191</kbd>")
    assertContains(twice, "has the key Shift+\u2191 too.", count=2)


# ── One cell ─────────────────────────────────────────────────────────────────────────────────────


def test_a_cell_shows_its_probabilities_model_version_and_neighbours(client):
    case = in_review(client, images=3)
    first, second, third = (cell.image for cell in case_cells(client, case))

    answer = client.get(page_of("cell", case, second))

    assertContains(answer, "Cell 2 of 3")
    assertContains(answer, f"{second.width} \u00d7 {second.height} pixels")
    assertContains(answer, second.predictions.get().model_version.name)
    assertContains(answer, 'scope="row"', count=5)
    assertContains(answer, f'rel="prev" href="{page_of("cell", case, first)}"')
    assertContains(answer, f'rel="next" href="{page_of("cell", case, third)}"')
    assertContains(answer, f'rel="prefetch" as="image" href="{page_of("image", case, third)}"')
    assertContains(answer, reverse("lesson-summary", args=["parabasal"]))
    [bars] = answer.context["figure"]["data"]
    assert bars["x"] == second.predictions.get().probabilities


def test_a_cell_says_in_words_how_certain_the_model_is(client):
    case = in_review(client, images=1)

    answer = client.get(page_of("cell", case, case.images.get()))

    assertContains(answer, "Only Parabasal remains at 99 %.")
    assertContains(answer, "More like the known cells than 62 % of them are.")
    assertContains(answer, "Confirm the model\u2019s class")


def test_r24_an_abstained_cell_keeps_its_numbers_in_sight_and_offers_no_class_to_confirm(client):
    case, image = doubtful(client)

    answer = client.get(page_of("cell", case, image))

    assertContains(answer, "Needs a human look")
    assertContains(answer, WHY)
    assertContains(answer, "cannot tell Metaplastic from Parabasal at 99 %")
    assertContains(answer, 'scope="row"', count=5)
    assertContains(answer, "there is no class to confirm")
    [confirms] = re.findall(r'<button type="submit"[^>]*data-act="confirm"[^>]*>', page(answer))
    assert confirms.endswith(" hidden>")
    assertNotContains(answer, 'class="highest"')
    assertNotContains(answer, "The model\u2019s class:")
    [bars] = answer.context["figure"]["data"]
    assert bars["x"] == image.predictions.get().probabilities


def test_a_cell_hands_over_its_five_maps_hidden_until_a_script_shows_them(client):
    case = in_review(client, images=1)

    answer = client.get(page_of("cell", case, case.images.get()))

    [handed] = re.findall(r'id="activation-maps" type="application/json">(.*?)<', page(answer))
    told = json.loads(handed)
    assert list(told["maps"]) == [cell_class.value for cell_class in CellClass]
    assert (told["strongest"], told["maps"]["Parabasal"][2][4]) == (2.0, 2.0)
    assertContains(answer, "data-heat hidden")
    assertContains(answer, 'name="heat-class"', count=5)
    assertContains(answer, 'data-likeliest="Parabasal"')
    assertContains(answer, "It does not show a lesion")
    assertContains(answer, "<kbd>H</kbd>", count=2)  # the button and the sheet of keys


def test_a_cell_without_a_kept_map_has_nothing_to_show(client):
    case = in_review(client, images=1)
    image = case.images.get()
    image.predictions.update(activation_maps=None)

    answer = client.get(page_of("cell", case, image))

    assertNotContains(answer, "activation-maps")
    assertContains(answer, "data-heat hidden")


def test_what_stands_beside_a_cell_is_fetched_alone(client):
    case = in_review(client, images=2)
    at = page_of("cell", case, case.images.first())

    answer = client.get(at, {"part": "details"})

    assertContains(answer, "What the model says")
    assertContains(answer, "activation-maps")
    assertNotContains(answer, "<html")
    assertNotContains(answer, "data-give=")


def case_cells(client, case):
    return client.get(page_of("case-detail", case)).context["cells"]


def test_a_finding_is_made_and_taken_back_by_a_form_without_scripts(client):
    case = in_review(client, images=1)
    image = case.images.get()
    decide = page_of("case-decide", case)

    client.post(decide, {"image": image.pk, "replaces": "", "cell_class": "Metaplastic"})
    made = Finding.objects.get(withdrawn_at=None)
    answer = client.post(decide, {"image": image.pk, "replaces": made.pk, "cell_class": ""})

    assertRedirects(answer, page_of("cell", case, image))
    assert made.cell_class == "Metaplastic"
    assert not Finding.objects.filter(withdrawn_at=None).exists()


def test_a_cell_is_read_only_for_whoever_does_not_hold_the_case(client):
    case = make.case(Status.REVIEWING, images=1)
    client.force_login(make.pathologist(laboratory=case.laboratory))
    image = case.images.get()

    answer = client.get(page_of("cell", case, image))
    refused = client.post(
        page_of("case-decide", case), {"image": image.pk, "cell_class": "Metaplastic"}
    )

    assertNotContains(answer, "data-give=")
    assert refused.status_code == 403
    assert not Finding.objects.exists()


# ── Signing ──────────────────────────────────────────────────────────────────────────────────────


def test_a_decided_case_is_signed_and_leads_to_its_report(client):
    case = decided(client)

    answer = client.post(page_of("case-sign", case), form(), follow=True)

    assertRedirects(answer, page_of("case-report", case))
    case.refresh_from_db()
    assert case.status == Status.SIGNED


def test_the_signing_page_asks_for_nothing_in_advance(client):
    case = decided(client)

    answer = client.get(page_of("case-sign", case))

    assertContains(answer, " checked", count=1)  # "not stated", of the EC/TZ component
    assertContains(answer, signature.MEANING)
    assertNotContains(answer, "no finding yet")


def test_abstentions_are_counted_apart_beside_the_findings(client):
    case, _ = doubtful(client, images=3)
    for image in case.images.all():
        make.finding(case, image, CellClass.METAPLASTIC)

    answer = client.get(page_of("case-sign", case))

    counts = {row.cell_class: (len(row.found), row.model) for row in answer.context["counts"]}
    assert counts[CellClass.METAPLASTIC] == (3, 0)
    assert counts[CellClass.PARABASAL] == (0, 2)
    assertContains(
        answer,
        '<tr><th scope="row">Needs a human look</th><td class="number">\u2013</td>'
        '<td class="number">1</td></tr>',
        html=True,
    )


def test_undecided_cells_are_shown_and_block_the_signature(client):
    case = in_review(client, images=2)
    decided_one, open_one = case.images.all()
    make.finding(case, decided_one)
    sign = page_of("case-sign", case)

    shown = client.get(sign)
    refused = client.post(sign, form())

    assertContains(shown, "One cell has no finding yet.")
    assert [cell.image for cell in shown.context["undecided"]] == [open_one]
    assertContains(refused, "One cell has no finding yet. Decide on every cell")
    assert_unsigned(case)


def assert_unsigned(case):
    case.refresh_from_db()
    assert case.status == Status.REVIEWING
    assert not Report.objects.exists()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"password": "not my password"}, "That is not your password."),
        ({"interpretations": []}, "A satisfactory specimen needs an interpretation (R3)."),
        ({"interpretations": ["NILM", "HSIL"]}, "NILM cannot stand beside HSIL"),
        ({"adequacy": "UNSAT"}, "needs at least one reason of its kind (R3)."),
        ({"adequacy": ""}, "Say whether the specimen can be evaluated."),
        ({"interpretations": ["MADE-UP"]}, "MADE-UP is not one of the available choices."),
    ],
)
def test_a_refusal_says_why_and_keeps_what_was_entered(client, changes, sentence):
    case = decided(client)
    entered = form(observations=["ATROPHY"], comment="See the earlier smear.") | changes

    answer = client.post(page_of("case-sign", case), entered)

    assertContains(answer, sentence)
    assertContains(answer, "The case is not signed.")
    assertContains(answer, "See the earlier smear.")
    kept = answer.context["form"]
    for name in ("adequacy", "interpretations", "observations"):
        assert kept[name].value() == entered[name]
    assert chosen(answer, "ATROPHY")
    assertNotContains(answer, entered["password"])
    assert_unsigned(case)


def chosen(answer, code):
    groups = answer.context["form"].observation_groups().values()
    [choice] = [c for group in groups for c in group if c.data["value"] == code]
    return choice.data["selected"]


def test_an_abnormal_cell_makes_an_unsatisfactory_specimen_impossible(client):
    case = decided(client, CellClass.DYSKERATOTIC)

    answer = client.post(
        page_of("case-sign", case),
        form(adequacy="UNSAT", interpretations=[], reasons=["BLOOD"]),
    )

    assertContains(answer, "With 2 abnormal cells the specimen is satisfactory")
    assert_unsigned(case)


def test_nobody_but_the_holder_may_sign(client):
    case = make.case(Status.REVIEWING, images=1)
    make.finding(case, case.images.get())
    others = [
        make.pathologist(laboratory=case.laboratory),
        make.administrator(laboratory=case.laboratory),
        case.accessioned_by,
    ]

    for user in others:
        client.force_login(user)
        assert client.get(page_of("case-sign", case)).status_code == 403
        assert client.post(page_of("case-sign", case), form()).status_code == 403

    assert_unsigned(case)


@pytest.mark.parametrize("page", ["case-detail", "case-sign", "case-report"])
def test_another_laboratory_finds_nothing(client, page):
    case = signed(client) if page == "case-report" else make.case(Status.REVIEWING, images=1)
    client.force_login(make.pathologist())

    assert client.get(page_of(page, case)).status_code == 404


def test_another_laboratory_finds_no_cell(client):
    case = make.case(Status.REVIEWING, images=1)
    client.force_login(make.pathologist())

    assert client.get(page_of("cell", case, case.images.get())).status_code == 404


def test_a_cell_of_another_case_is_not_found(client):
    case = in_review(client, images=1)
    stranger = make.case(Status.REVIEWING, images=1, reviewer=case.reviewer)

    assert client.get(page_of("cell", case, stranger.images.get())).status_code == 404
