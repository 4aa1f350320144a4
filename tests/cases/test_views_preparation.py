"""The worklist and the pages before review, for each role, and what refuses them."""

from base64 import b64encode
from datetime import timedelta
from itertools import chain

import pytest
from django.contrib.messages import get_messages
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from accounts.models import Role
from cases import clock, workflow
from cases.models import Case, CellImage, Run
from inference.labels import CellClass
from tests import make

pytestmark = pytest.mark.django_db
Status = Case.Status
WORKLIST = "/cases/"
HTMX = {"HTTP_HX_REQUEST": "true"}


@pytest.fixture
def people():
    """One of each role in one laboratory."""
    laboratory = make.laboratory(time_zone="Europe/Berlin")
    return {role: make.user(role, laboratory=laboratory, name=role.title()) for role in Role.values}


@pytest.fixture
def technologist(people):
    return people[Role.CYTOTECHNOLOGIST]


@pytest.fixture
def pathologist(people):
    return people[Role.PATHOLOGIST]


def page(client, user, address, **parameters):
    client.force_login(user)
    return client.get(address, parameters)


def text(response):
    return " ".join(response.content.decode().split())


def of(name, *arguments):
    return reverse(name, args=[getattr(argument, "pk", argument) for argument in arguments])


def said(response):
    return [str(message) for message in get_messages(response.wsgi_request)]


# ── The worklist ─────────────────────────────────────────────────────────────────────────────────


def test_the_tiles_count_the_states_of_the_persons_own_laboratory(client, people, technologist):
    make.case(by=technologist)
    make.case(by=make.cytotechnologist(laboratory=technologist.laboratory))
    make.case(Status.FAILED, by=technologist, due_in=-timedelta(hours=1))
    make.case(Status.SIGNED, by=technologist, due_in=-timedelta(hours=1))
    make.case(Status.AWAITING_REVIEW)  # of another laboratory

    response = page(client, technologist, WORKLIST)

    counts = {tile.state: tile.count for tile in response.context["tiles"]}
    assert counts == {
        "open": 3,
        "mine": 2,
        "team": 3,
        "sent_back": 0,
        "overdue": 1,
        "draft": 2,
        "queued": 0,
        "classifying": 0,
        "failed": 1,
        "awaiting_review": 0,
        "reviewing": 0,
        "signed": 1,
    }
    for state in counts:
        assert f'href="?state={state}"' in text(response)


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        ("open", ["late", "soon", "draft"]),
        ("overdue", ["late"]),
        ("mine", ["draft"]),
        ("signed", ["done"]),
        ("awaiting_review", ["late", "soon"]),
        ("failed", []),
    ],
)
def test_each_tile_lists_its_cases_the_longest_overdue_first(client, technologist, state, shown):
    other = make.cytotechnologist(laboratory=technologist.laboratory)
    make.case(by=technologist, accession_number="draft", due_in=timedelta(days=5))
    make.case(Status.AWAITING_REVIEW, by=other, accession_number="soon", due_in=timedelta(days=1))
    make.case(Status.AWAITING_REVIEW, by=other, accession_number="late", due_in=-timedelta(days=1))
    make.case(Status.SIGNED, by=other, accession_number="done", due_in=-timedelta(days=2))

    response = page(client, technologist, WORKLIST, state=state)

    assert [case.accession_number for case in response.context["cases"]] == shown


def test_a_row_says_in_words_what_is_overdue_urgent_and_in_whose_hands(client, technologist):
    make.case(
        by=technologist,
        images=2,
        priority="urgent",
        accession_number="C1",
        due_in=-timedelta(hours=3),
    )

    shown = text(page(client, technologist, WORKLIST))

    assert '<span class="due overdue">Overdue by 3 hours</span>' in shown
    assert '<span class="badge urgent">Urgent</span>' in shown
    assert '<span class="badge status draft">Draft</span>' in shown
    assert '<td data-label="Images" class="number">2</td>' in shown
    assert '<td data-label="With">Cytotechnologist</td>' in shown


@pytest.mark.parametrize(
    ("search", "shown"),
    [("c26-0001", {"C26-00011", "C26-00012"}), ("p-7", {"C26-00012"}), ("P-", set())],
)
def test_search_finds_by_part_of_an_accession_number_or_by_a_whole_patient_id_in_any_state(
    client, technologist, search, shown
):
    patient = make.Patient.objects.create(laboratory=technologist.laboratory, record_number="P-7")
    make.case(by=technologist, accession_number="C26-00011")
    make.case(Status.SIGNED, by=technologist, accession_number="C26-00012", patient=patient)
    make.case(by=technologist, accession_number="C26-00020")
    make.case(accession_number="C26-00013")  # of another laboratory

    response = page(client, technologist, WORKLIST, search=search)

    assert {case.accession_number for case in response.context["cases"]} == shown
    assert ("No case of your laboratory" in text(response)) == (not shown)


@pytest.mark.parametrize(
    ("role", "button"),
    [(Role.CYTOTECHNOLOGIST, False), (Role.PATHOLOGIST, True), (Role.ADMINISTRATOR, False)],
)
def test_only_a_pathologist_claims_and_only_a_cytotechnologist_accessions(
    client, people, role, button
):
    case = make.case(Status.AWAITING_REVIEW, by=people[Role.CYTOTECHNOLOGIST])

    shown = text(page(client, people[role], WORKLIST))

    assert (of("case-claim", case) in shown) == button
    assert (reverse("case-new") in shown) == (role == Role.CYTOTECHNOLOGIST)


def test_a_claimed_case_offers_its_holder_to_go_on_and_nobody_to_claim_it(client, people):
    holder = people[Role.PATHOLOGIST]
    other = make.pathologist(laboratory=holder.laboratory)
    case = make.case(Status.REVIEWING, by=people[Role.CYTOTECHNOLOGIST], reviewer=holder)

    holders, others = (text(page(client, user, WORKLIST)) for user in (holder, other))

    assert of("case-claim", case) not in holders + others
    assert "Go on<" in holders
    assert "Go on<" not in others


@pytest.mark.parametrize(
    ("role", "state", "advice"),
    [
        (Role.CYTOTECHNOLOGIST, "open", "New case"),
        (Role.PATHOLOGIST, "open", "A cytotechnologist of your laboratory accessions the next"),
        (Role.CYTOTECHNOLOGIST, "mine", "What you accession and have not yet submitted"),
        (Role.PATHOLOGIST, "mine", "Claim a case that is"),
        (Role.ADMINISTRATOR, "mine", "Cases are with those who accession or review them"),
        (Role.PATHOLOGIST, "overdue", "Those that are due next"),
        (Role.PATHOLOGIST, "awaiting_review", "once its images are classified"),
        (Role.CYTOTECHNOLOGIST, "failed", "would wait here for a retry"),
        (Role.ADMINISTRATOR, "queued", "See all that are"),
    ],
)
def test_an_empty_list_says_what_to_do_next(client, people, role, state, advice):
    response = page(client, people[role], WORKLIST, state=state)

    assert advice in text(response)


def test_the_worklist_takes_the_same_number_of_queries_for_one_case_and_for_three(
    client, technologist, django_assert_num_queries
):
    client.force_login(technologist)
    make.case(by=technologist, images=1)
    client.get(WORKLIST)  # the session notes the activity once

    with django_assert_num_queries(
        7
    ):  # session, user, laboratory, idle holders, settings, tiles, cases
        client.get(WORKLIST)
    for _ in range(2):
        make.case(Status.REVIEWING, by=technologist, images=2)
    with django_assert_num_queries(7):
        client.get(WORKLIST)


def test_every_case_is_on_one_of_the_pages_and_none_on_two(client, technologist, settings):
    numbers = [make.case(by=technologist).accession_number for _ in range(7)]
    client.force_login(technologist)

    first = client.get(WORKLIST, {"page_size": 3})
    second = client.get(first.context["next"])
    third = client.get(second.context["next"])

    seen = [[case.accession_number for case in p.context["cases"]] for p in (first, second, third)]
    assert sorted(chain.from_iterable(seen)) == sorted(numbers)
    assert [len(rows) for rows in seen] == [3, 3, 1]
    assert third.context["next"] is None
    assert client.get(second.context["previous"]).context["cases"] == first.context["cases"]


@pytest.mark.parametrize("position", ["p=abc", "p=2026-01-01", "p=2026-99-01T00:00Z", "p=%00"])
def test_a_page_that_nobody_gave_out_is_not_there(client, technologist, position):
    cursor = b64encode(position.encode()).decode()

    assert page(client, technologist, WORKLIST, cursor=cursor).status_code == 404
    assert page(client, technologist, WORKLIST, cursor="made-up").status_code == 404


def test_the_list_is_narrowed_to_a_priority_and_every_way_on_keeps_it(client, technologist):
    urgent = make.case(by=technologist, priority="urgent")
    make.case(by=technologist)

    narrowed = page(client, technologist, WORKLIST, state="draft", priority="urgent")
    unknown = page(client, technologist, WORKLIST, state="draft", priority="whenever")
    none = page(client, technologist, WORKLIST, state="failed", priority="urgent")

    assert list(narrowed.context["cases"]) == [urgent]
    assert 'href="?state=open&amp;priority=urgent"' in narrowed.text
    assert len(unknown.context["cases"]) == 2
    assert "No urgent case is here." in none.text


def test_a_search_for_what_no_text_holds_finds_nothing_and_breaks_nothing(client, technologist):
    make.case(by=technologist)

    found = page(client, technologist, WORKLIST, search="\0T-\0x")

    assert (found.status_code, list(found.context["cases"])) == (200, [])


# ── Accession ────────────────────────────────────────────────────────────────────────────────────

SENT = {"record_number": "P-1", "specimen_type": "LBC", "priority": "routine"}


def test_a_new_case_gets_the_suggested_number_and_leads_to_its_draft(client, technologist):
    form = page(client, technologist, reverse("case-new"))
    suggested = form.context["form"].initial["accession_number"]

    response = client.post(reverse("case-new"), SENT | {"accession_number": suggested})

    case = Case.objects.get()
    assert response.headers["Location"] == of("case-detail", case)
    assert (case.accession_number, case.patient.record_number) == (suggested, "P-1")


def test_a_taken_number_is_said_beside_its_field_and_nothing_typed_is_lost(client, technologist):
    make.case(by=technologist, accession_number="C1")
    client.force_login(technologist)

    response = client.post(
        reverse("case-new"), SENT | {"accession_number": "c1", "clinical_note": "Bleeding."}
    )

    assert "is taken in your laboratory" in text(response)
    assert "Bleeding." in text(response)
    assert Case.objects.count() == 1


@pytest.mark.parametrize("role", [Role.PATHOLOGIST, Role.ADMINISTRATOR])
def test_only_a_cytotechnologist_gets_the_form_and_the_refusal_says_so(client, people, role):
    response = page(client, people[role], reverse("case-new"))

    assert response.status_code == 403
    assert "Only cytotechnologists accession cases." in text(response)


def test_a_draft_is_revised_and_says_so(client, technologist):
    case = make.case(by=technologist)
    form = page(client, technologist, of("case-revise", case))
    assert f'value="{case.accession_number}"' in text(form)

    response = client.post(of("case-revise", case), SENT | {"priority": "urgent"})

    case.refresh_from_db()
    assert case.priority == "urgent"
    assert said(response) == ["The case was revised."]


def test_a_case_that_is_no_draft_cannot_be_revised(client, technologist):
    case = make.case(Status.QUEUED, by=technologist)

    assert page(client, technologist, of("case-revise", case)).status_code == 403


# ── The draft ────────────────────────────────────────────────────────────────────────────────────


def test_who_accessioned_a_draft_fills_it_and_others_only_look(client, people, technologist):
    case = make.case(by=technologist, images=2)
    colleague = make.cytotechnologist(laboratory=technologist.laboratory)
    readers = [technologist, colleague, people[Role.PATHOLOGIST], people[Role.ADMINISTRATOR]]

    shown = [text(page(client, user, of("case-detail", case))) for user in readers]

    assert ["data-upload" in one for one in shown] == [True, False, False, False]
    assert [of("case-submit", case) in one for one in shown] == [True, False, False, False]
    assert [one.count('loading="lazy"') - one.count("<template data-th") for one in shown] == [
        2
    ] * 4
    assert all("Cytotechnologist is preparing this case." in one for one in shown[1:])


def test_the_strip_shows_name_birth_date_and_note_to_readers_and_not_to_administrators(
    client, people, technologist
):
    case = make.case(by=technologist, clinical_note="Spotting since May.")
    case.patient.name, case.patient.birth_date = "Maria Example", clock.now().date()
    case.patient.save()
    secrets = ("Maria Example", "Born", "Spotting since May.")

    shown = {
        role: text(page(client, user, of("case-detail", case))) for role, user in people.items()
    }

    for role, one in shown.items():
        expected = role != Role.ADMINISTRATOR
        assert [secret in one for secret in secrets] == [expected] * 3
        assert case.patient.record_number in one


def test_a_draft_without_images_cannot_be_submitted_by_its_button(client, technologist):
    empty, filled = make.case(by=technologist), make.case(by=technologist, images=1)
    button = '<button type="submit" class="primary" disabled>Submit for classification</button>'

    assert button in text(page(client, technologist, of("case-detail", empty)))
    assert button not in text(page(client, technologist, of("case-detail", filled)))


def test_the_draft_takes_the_same_number_of_queries_for_one_image_and_for_three(
    client, technologist, django_assert_num_queries
):
    case = make.case(by=technologist, images=1)
    client.force_login(technologist)
    client.get(of("case-detail", case))

    with django_assert_num_queries(8):  # who, laboratory, case, comments, sight, view, images
        client.get(of("case-detail", case))
    for position in (1, 2):
        make.image(case, position)
    with django_assert_num_queries(8):
        client.get(of("case-detail", case))


def file(name, content):
    return SimpleUploadedFile(name, content)


def test_the_plain_form_stores_what_is_good_and_says_the_rest_by_reason(client, technologist):
    case = make.case(by=technologist)
    picture, text_file = make.cell_picture(CellClass.PARABASAL, 5), b"Not a picture at all."
    client.force_login(technologist)

    sent = [file("a.png", picture), file("b.png", picture), file("c.txt", text_file)]
    sent += [file(f"d{n}.txt", text_file) for n in range(25)]
    response = client.post(of("case-upload", case), {"file": sent})

    assert response.headers["Location"] == of("case-detail", case)
    stored, known, refused = said(response)
    assert stored == "1 image stored."
    assert known == "b.png: Already in this case."
    assert refused.startswith("c.txt, d0.txt,")
    assert "and 6 more: This is a text" in refused
    assert case.images.get().name == "a.png"


def test_the_plain_form_without_a_file_says_so(client, technologist):
    case = make.case(by=technologist)
    client.force_login(technologist)

    response = client.post(of("case-upload", case))

    assert said(response) == ["No file was chosen, so nothing was uploaded."]


def test_what_is_uploaded_to_a_closed_draft_is_refused_in_words(client, technologist):
    case = make.case(Status.QUEUED, by=technologist)
    client.force_login(technologist)

    response = client.post(of("case-upload", case), {"file": file("a.png", make.cell_picture())})

    assert said(response) == ["Cannot add an image to a case that is queued."]
    assert not CellImage.objects.exists()


def test_uploading_to_a_colleagues_draft_is_refused(client, technologist):
    case = make.case(by=make.cytotechnologist(laboratory=technologist.laboratory))
    client.force_login(technologist)

    response = client.post(of("case-upload", case), {"file": file("a.png", make.cell_picture())})

    assert response.status_code == 403
    assert "Only the cytotechnologist who accessioned the case may do this." in text(response)
    assert not CellImage.objects.exists()


def test_an_image_is_removed_by_its_button(client, technologist):
    case = make.case(by=technologist, images=2)
    first, second = case.images.all()
    client.force_login(technologist)

    client.post(of("image-remove", case, first))

    assert list(case.images.all()) == [second]


# ── The classification ───────────────────────────────────────────────────────────────────────────


def classifying(by, answered=1, **run):
    case = make.case(Status.CLASSIFYING, by=by, images=3)
    running = make.run(case, Run.Status.RUNNING, **run)
    for image in list(case.images.all())[:answered]:
        make.prediction(running, image, CellClass.PARABASAL)
    return case


def test_the_progress_counts_answers_and_asks_again_in_the_background(client, technologist):
    case = classifying(technologist, answered=2)

    shown = text(page(client, technologist, of("case-detail", case)))

    assert "<strong>2</strong> of 3 images answered" in shown
    assert '<progress max="3" value="2"' in shown
    assert f'hx-get="{of("case-detail", case)}?seen=classifying"' in shown
    assert 'hx-trigger="every 2s"' in shown
    assert """hx-headers='{"X-Background": "true"}'""" in shown
    assert "attempt" not in shown


def test_an_unreadable_image_counts_as_answered_and_is_told(client, technologist):
    case = classifying(technologist, answered=1)
    run = case.runs.get()
    run.failures.create(image=case.images.last(), reason="The file is damaged.")

    shown = text(page(client, technologist, of("case-detail", case)))

    assert "<strong>2</strong> of 3 images answered, 1 of them unreadable" in shown


def test_a_second_attempt_is_named(client, technologist):
    case = classifying(technologist, attempt=2)

    assert "Second attempt" in text(page(client, technologist, of("case-detail", case)))


def test_a_poll_gets_the_part_alone(client, technologist):
    case = classifying(technologist)
    client.force_login(technologist)

    shown = text(client.get(of("case-detail", case) + "?seen=classifying", **HTMX))

    assert shown.startswith('<section id="progress"')
    assert "<html" not in shown


@pytest.mark.parametrize("status", [Status.AWAITING_REVIEW, Status.FAILED, Status.REVIEWING])
def test_a_poll_about_a_case_that_has_moved_on_reloads_the_page(client, technologist, status):
    case = make.case(status, by=technologist, images=1)
    client.force_login(technologist)

    response = client.get(of("case-detail", case) + "?seen=classifying", **HTMX)

    assert response.headers["HX-Refresh"] == "true"


def test_the_part_of_a_failed_case_polls_no_more_and_says_why_and_what_was_kept(
    client, people, technologist
):
    case = make.case(Status.FAILED, by=technologist, images=3)
    run = make.run(case, Run.Status.FAILED, failure="The worker vanished 3 times.")
    make.prediction(run, case.images.first(), CellClass.PARABASAL)
    client.force_login(technologist)

    shown = text(client.get(of("case-detail", case), **HTMX))

    assert "hx-get" not in shown
    assert "The worker vanished 3 times." in shown
    assert "all 3 images" in shown
    assert "the 1 answer given so far" in shown
    assert of("case-retry", case) in shown
    others = text(page(client, people[Role.PATHOLOGIST], of("case-detail", case)))
    assert of("case-retry", case) not in others
    assert "A cytotechnologist of your laboratory can retry it." in others


def test_retry_gives_the_case_a_new_run_and_polls_again(client, technologist):
    case = make.case(Status.FAILED, by=technologist, images=1)
    make.run(case, Run.Status.FAILED)
    client.force_login(technologist)

    response = client.post(of("case-retry", case), follow=True)

    assert "Waiting for a worker" in text(response)
    assert "hx-get" in text(response)
    assert case.runs.count() == 2


# ── The trail and the pages of refusal ───────────────────────────────────────────────────────────


def test_the_trail_tells_who_did_what_in_the_laboratorys_time(client, people, technologist):
    with clock.at(clock.now().replace(year=2026, month=1, day=5, hour=10, minute=0, second=0)):
        case = workflow.accession(
            technologist, workflow.Accession(record_number="P-1", specimen_type="LBC")
        )
        workflow.add_image(case, technologist, "a.png", make.cell_picture())
        workflow.submit(case, technologist, make.model_version())

    for user in people.values():
        shown = text(page(client, user, of("case-trail", case)))
        positions = [
            shown.index(sentence)
            for sentence in ("Accessioned the case as", "Added a.png.", "with 1 cell image.")
        ]
        assert positions == sorted(positions)
        assert "5 Jan 2026 11:00:00" in shown
        assert "Europe/Berlin" in shown


@pytest.mark.parametrize("name", ["case-detail", "case-trail", "case-revise"])
def test_another_laboratorys_case_is_not_there(client, name):
    case = make.case()

    response = page(client, make.cytotechnologist(), of(name, case))

    assert response.status_code == 404
    assert "There is nothing here" in text(response)


def test_the_page_for_a_fault_of_the_server_needs_nothing_that_may_have_failed(
    client, technologist, monkeypatch, django_assert_num_queries
):
    client.force_login(technologist)
    client.raise_request_exception = False
    monkeypatch.setattr("cases.worklist.Tile", lambda *_: 1 / 0)

    response = client.get(WORKLIST)

    assert response.status_code == 500
    assert "Something went wrong on the server" in text(response)
    assert "Research and education only, not for diagnosis." in text(response)


def test_a_form_without_its_token_is_refused_with_a_way_on(technologist):
    from django.test import Client

    client = Client(enforce_csrf_checks=True)
    client.force_login(technologist)

    response = client.post(reverse("case-new"), SENT)

    assert response.status_code == 403
    assert "The form was too old" in text(response)
    assert not Case.objects.exists()


def test_more_files_than_a_form_may_bring_are_refused_with_a_way_on(client, technologist, settings):
    settings.DATA_UPLOAD_MAX_NUMBER_FILES = 1
    case = make.case(by=technologist)
    client.force_login(technologist)

    sent = [file("a.png", make.cell_picture()), file("b.png", make.cell_picture())]
    response = client.post(of("case-upload", case), {"file": sent})

    assert response.status_code == 400
    assert "Nothing of this request was kept" in text(response)
    assert not CellImage.objects.exists()
