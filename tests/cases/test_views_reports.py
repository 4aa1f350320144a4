"""The pages of a signed report: its versions, and the forms that make the next one."""

import json
import re
from datetime import timedelta

import pytest
from django.urls import reverse
from pytest_django.asserts import assertContains, assertNotContains, assertRedirects

from cases import bethesda, clock, signature, workflow
from cases.bethesda import Adequacy
from cases.models import Case, Report, Review
from cases.signature import Change
from cases.views import found
from inference.labels import CellClass
from tests import make
from tests.make import proof
from tests.make_accounts import PASSWORD

Status = Case.Status
WHY = "It cannot tell Metaplastic from Parabasal."
READ = bethesda.Read(
    adequacy=Adequacy.SATISFACTORY,
    interpretations=("LSIL",),
    observations=("CANDIDA",),
    comment="Repeat in\na year.",
)

pytestmark = pytest.mark.django_db


def page_of(name, case, *more):
    return reverse(name, args=[case.pk, *more])


def signed(client, **fields):
    """A case that the person who is logged in has signed."""
    case = make.case(Status.REVIEWING, images=2, **fields)
    client.force_login(case.reviewer)
    for image in case.images.all():
        make.finding(case, image, CellClass.KOILOCYTOTIC)
    return workflow.sign(case, case.reviewer, READ, proof(case.reviewer))


def addended(case):
    change = Change(supersedes=1, reason="The HPV test came in.", affects_care=False)
    return workflow.addend(case, case.reviewer, change, "HPV: negative.", proof(case.reviewer))


def test_r16_the_report_shows_what_was_signed_by_whom_and_that_it_still_matches(client):
    case = signed(client)
    report = case.reports.get()
    content = json.loads(report.content)

    answer = client.get(page_of("case-report", case))

    assertContains(answer, case.accession_number)
    assertContains(answer, "Low-grade squamous intraepithelial lesion (LSIL)")
    assertContains(answer, "Fungal organisms consistent with Candida (CANDIDA)")
    assertContains(answer, "Repeat in<br>a year.")
    assertContains(answer, f'<p class="name">{case.reviewer.name}</p>')
    assertContains(answer, signature.MEANING)
    assertContains(answer, content["signature"]["signed_at"])
    assertContains(answer, report.digest)
    assertContains(answer, "Content matches its digest")
    assertContains(answer, "(corrected)", count=2)
    assertContains(answer, "Research and education only, not for diagnosis.")


def test_r24_the_report_says_where_the_model_abstained_and_why(client):
    case = make.case(Status.REVIEWING, images=2)
    client.force_login(case.reviewer)
    image = case.images.first()
    make.abstain(case, image)
    for one in case.images.all():
        make.finding(case, one, CellClass.METAPLASTIC)
    workflow.sign(case, case.reviewer, READ, proof(case.reviewer))

    answer = client.get(page_of("case-report", case))

    content = json.loads(case.reports.get().content)
    told = {cell["image"]: cell["model"] for cell in content["cells"]}
    model = told.pop(image.digest)
    [other] = told.values()
    assert (model["cell_class"], model["abstained"], model["reasons"]) == (None, True, [WHY])
    assert model["prediction_set"] == ["Metaplastic", "Parabasal"]
    assert (other["cell_class"], other["abstained"], other["reasons"]) == ("Parabasal", False, [])
    assertContains(answer, f"<b>Needs a human look.</b> {WHY}", count=1)
    assertContains(answer, "(corrected)", count=1)


def test_r16_the_signature_on_the_page_has_name_role_time_with_zone_meaning_and_digest(client):
    laboratory = make.laboratory(time_zone="Asia/Kolkata")
    case = signed(client, reviewer=make.pathologist(laboratory=laboratory))

    page = client.get(page_of("case-report", case)).text

    [block] = re.findall(r"<div[^>]* data-signature>(.*?)</div>", page, re.DOTALL)
    at = case.signed_at.astimezone(laboratory.zone)
    assert f'<p class="name">{case.reviewer.name}</p>' in block
    assert "<p>Pathologist · <time" in block
    assert f">{at.day} {at:%B %Y, %H:%M:%S} IST (UTC+0530)</time>" in block
    assert f"“{signature.MEANING}”" in block
    assert case.reports.get().digest in block


def test_identity_stands_outside_the_signed_content_and_is_not_for_administrators(client):
    case = signed(client)
    case.patient.name = "Jane Roe"
    case.patient.save()

    reader = client.get(page_of("case-report", case)).content.decode()
    client.force_login(make.administrator(laboratory=case.laboratory))
    administrator = client.get(page_of("case-report", case))

    signed_part = reader[reader.index("<article") : reader.index("</article>")]
    assert "Jane Roe" in reader
    assert "Jane Roe" not in signed_part
    assertNotContains(administrator, "Jane Roe")


def tamper(case, content):
    """The database lets nobody rewrite a report: put one with another text beside it."""
    true = case.reports.get()
    Report.objects.create(
        case=case,
        version=2,
        kind=Report.Kind.CORRECTION,
        content=content,
        digest=true.digest,
        signed_by=true.signed_by,
        signed_at=true.signed_at,
    )


def test_r16_a_report_that_was_tampered_with_says_so_loudly(client):
    case = signed(client)
    tamper(case, case.reports.get().content.replace("LSIL", "NILM"))

    answer = client.get(page_of("case-report", case))

    assertContains(answer, "This report is not valid")
    assertNotContains(answer, "Content matches its digest")


def test_a_report_that_is_no_report_any_more_is_shown_as_the_text_it_is(client):
    case = signed(client)
    tamper(case, '{"read": "<script>"}')

    answer = client.get(page_of("case-report", case))

    assertContains(answer, "This report is not valid")
    assertContains(answer, "can no longer be read as a report")
    assertContains(answer, "&lt;script&gt;")


def test_r16_the_api_tells_of_a_tampered_report_that_it_does_not_match(client):
    case = signed(client)
    tamper(case, '{"read": "<script>"}')

    answer = client.get(reverse("api-case-detail", args=[case.pk])).json()

    assert (answer["report"]["matches"], answer["report"]["meaning"]) == (False, "")
    assert [report["matches"] for report in answer["superseded_reports"]] == [True]


def test_a_case_that_is_not_signed_has_no_report(client):
    case = make.case(Status.REVIEWING, images=1)
    client.force_login(case.reviewer)

    assert client.get(page_of("case-report", case)).status_code == 404
    for name in ("case-addend", "case-amend", "case-correct"):
        assert client.get(page_of(name, case)).status_code == 404


def test_signing_again_leads_to_the_report(client):
    case = signed(client)

    assertRedirects(client.post(page_of("case-sign", case), {}), page_of("case-report", case))


# ── Versions ─────────────────────────────────────────────────────────────────────────────────────


def test_r12_an_old_version_stays_readable_and_says_across_the_page_that_it_is_superseded(client):
    case = addended(signed(client))

    old = client.get(page_of("case-report-version", case, 1))
    new = client.get(page_of("case-report", case))

    assertContains(old, 'data-across="Superseded by version 2"', count=1)
    assertContains(old, "Low-grade squamous intraepithelial lesion (LSIL)")
    assertContains(old, "Content matches its digest")
    assertNotContains(old, "HPV: negative.")
    assertNotContains(old, page_of("case-addend", case))
    assertNotContains(new, "data-across")
    assertContains(new, "<dt>Addendum, version 2</dt><dd>HPV: negative.</dd>")
    assertContains(new, "The HPV test came in.")
    assertContains(new, case.reports.first().digest)


def test_the_report_lists_its_versions_and_which_is_in_force(client):
    case = signed(client)
    alone = client.get(page_of("case-report", case))
    addended(case)

    answer = client.get(page_of("case-report", case))

    assertNotContains(alone, "Versions of the report")
    assertContains(answer, "<b>in force</b>", count=1)
    assertContains(answer, page_of("case-report-version", case, 1))
    for version in (3, 99_999_999_999):
        assert client.get(page_of("case-report-version", case, version)).status_code == 404


def change(**fields):
    return {
        "supersedes": "1",
        "reason": "A second look.",
        "affects_care": "no",
        "password": PASSWORD,
    } | fields


FORMS = {
    "case-addend": {"text": "HPV: negative."},
    "case-amend": {"adequacy": "SAT", "interpretations": ["HSIL"]},
    "case-correct": {"record_number": "P-right", "specimen_type": "CONV"},
}


@pytest.mark.parametrize("name", FORMS)
def test_a_form_begins_with_what_the_report_says_and_issues_the_next_version(client, name):
    case = signed(client)

    form = client.get(page_of(name, case))
    answer = client.post(page_of(name, case), change(**FORMS[name]))

    assertContains(
        form, signature.MEANINGS[case.reports.current().get().kind].replace("'", "&#x27;")
    )
    if name != "case-addend":
        assertContains(form, READ.comment)
    assertRedirects(answer, page_of("case-report", case))
    assert case.reports.current().get().version == 2


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("case-addend", {"text": "HPV: positive."}),
        ("case-amend", {"interpretations": ["LSIL"]}),
        ("case-correct", {"comment": "Another."}),
    ],
)
def test_a_change_that_is_sent_twice_is_one_version_and_leads_to_it(client, name, other):
    case = signed(client)
    said = change(**FORMS[name])

    answers = [client.post(page_of(name, case), said) for _ in range(2)]
    another = client.post(page_of(name, case), said | other)

    assert [answer.url for answer in answers] == [page_of("case-report", case)] * 2
    assert case.reports.count() == 2
    assertContains(another, "Version 2 of the report was issued meanwhile")


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"password": "not my password"}, "That is not your password."),
        ({"affects_care": ""}, "Say yes or no."),
        ({"affects_care": "yes"}, "somebody must have been notified first"),
        ({"supersedes": "7"}, "Nothing was changed; look at that version first."),
    ],
)
def test_a_refused_change_keeps_what_was_typed(client, name, fields, sentence):
    case = signed(client)

    answer = client.post(page_of(name, case), change(**FORMS[name] | fields))

    assertContains(answer, sentence)
    assertContains(answer, "No version was issued.")
    assertContains(answer, "A second look.")
    assertNotContains(answer, PASSWORD)
    assert case.reports.count() == 1


def test_a_correction_that_cannot_be_stored_says_so(client):
    case = signed(client)
    fields = FORMS["case-correct"] | {"collected_on": "2999-01-01"}

    answer = client.post(page_of("case-correct", case), change(**fields))

    assertContains(answer, "The collection date lies in the future.")
    assert case.reports.count() == 1


def test_the_time_of_the_notification_is_the_laboratorys(client):
    laboratory = make.laboratory(time_zone="Asia/Kolkata")
    case = signed(client, reviewer=make.pathologist(laboratory=laboratory))
    told = {"affects_care": "yes", "notified": "Dr. Gyn", "notified_at": "2026-05-04T10:30"}

    client.post(page_of("case-addend", case), change(**FORMS["case-addend"], **told))

    kept = json.loads(case.reports.current().get().content)["change"]["notified_at"]
    assert kept == "2026-05-04T05:00:00+00:00"
    page = client.get(page_of("case-report", case))
    assertContains(page, "Dr. Gyn, 4 May 2026, 10:30:00 IST (UTC+0530)")


def test_an_altered_report_offers_no_change(client):
    case = signed(client)
    tamper(case, case.reports.get().content.replace("LSIL", "NILM"))

    answer = client.get(page_of("case-report", case))

    assertNotContains(answer, page_of("case-addend", case))


def test_the_trail_says_what_was_changed_why_and_who_was_told(client):
    case = signed(client)
    told = {"affects_care": "yes", "notified": "Dr. Gyn", "notified_at": "2026-05-04T10:30"}
    client.post(page_of("case-amend", case), change(**FORMS["case-amend"], **told))
    client.post(page_of("case-correct", case), change(**FORMS["case-correct"], supersedes="2"))

    answer = client.get(page_of("case-trail", case))

    assertContains(
        answer, "Amended the report: from LSIL to HSIL. Reason: A second look. Notified: Dr. Gyn."
    )
    assertContains(answer, "specimen from liquid-based preparation to conventional smear")
    assertContains(answer, "Version 3, digest")


def test_the_pictures_for_the_report_are_chosen_on_the_page_that_signs(client):
    case = make.case(Status.REVIEWING, images=2)
    client.force_login(case.reviewer)
    one, two = case.images.all()
    make.finding(case, one, CellClass.KOILOCYTOTIC)
    make.finding(case, two, CellClass.PARABASAL)

    page = client.get(page_of("case-sign", case))
    read = {"adequacy": "SAT", "interpretations": ["LSIL"], "password": PASSWORD}
    client.post(page_of("case-sign", case), read | {"pictures": [str(two.pk)]})

    assertContains(page, f'value="{one.pk}" checked')
    assertNotContains(page, f'value="{two.pk}" checked')
    assert json.loads(case.reports.get().content)["pictures"] == [two.digest]


# ── Going on ─────────────────────────────────────────────────────────────────────────────────────


def test_who_has_signed_goes_on_to_the_case_that_is_due_first(client):
    case = signed(client)
    laboratory = case.laboratory
    for days in (2, 1):
        due = make.case(Status.AWAITING_REVIEW, by=case.accessioned_by, due_in=timedelta(days))
    make.case(Status.DRAFT, by=case.accessioned_by, due_in=timedelta(hours=1))
    make.case(Status.AWAITING_REVIEW, due_in=timedelta(hours=1))  # of another laboratory

    answer = client.get(page_of("case-report", case))
    client.force_login(make.pathologist(laboratory=laboratory))
    others = client.get(page_of("case-report", case))

    assertContains(answer, f"Claim the next case, {due.accession_number}")
    assertContains(answer, "<kbd>N</kbd>")
    assertNotContains(others, "Claim the next case")


def test_a_case_in_hand_comes_before_any_that_waits(client):
    case = signed(client)
    make.case(Status.AWAITING_REVIEW, by=case.accessioned_by, due_in=timedelta(hours=1))
    mine = make.case(Status.REVIEWING, by=case.accessioned_by, reviewer=case.reviewer)

    answer = client.get(page_of("case-report", case))

    assertContains(answer, f"Go on with {mine.accession_number}")
    assertNotContains(answer, "Claim the next case")


def test_where_nothing_waits_the_report_offers_nothing(client):
    answer = client.get(page_of("case-report", signed(client)))

    assertNotContains(answer, "data-next-case")


@pytest.mark.parametrize("role", ["cytotechnologist", "senior", "pathologist", "administrator"])
def test_the_next_case_is_the_first_due_that_this_person_can_claim_however_many_wait(role):
    laboratory = make.laboratory()
    make.reading(laboratory, primary_screening=True)
    by = make.cytotechnologist(laboratory=laboratory)
    people = {"senior": make.senior(laboratory=laboratory)}
    person = people.get(role) or make.user(role, laboratory=laboratory)
    done = make.case(Case.Status.SIGNED, by=by)
    for state in (*workflow.CLAIMS, Case.Status.DRAFT):
        for days in (1, 2):
            make.case(state, by=by, due_in=timedelta(days=days))
    for _ in range(30):  # of others, and due before all of them
        make.case(Case.Status.FAILED, by=by, due_in=timedelta(hours=1))
    read = Case.objects.filter(status=Case.Status.AWAITING_RESCREEN).order_by("due_at").first()
    Review.objects.create(case=read, reader=person, kind="screening", ended_at=clock.now())

    after = found.following(person, done)

    visible = Case.objects.visible_to(person).order_by("due_at", "pk")
    assert after == next((case for case in visible if found.may_claim(person, case)), None)
    assert (after is None) == (role == "administrator")
