"""An amendment changes findings of cells: which version says what, whose it is, and who may."""

import json

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django.asserts import assertContains, assertNotContains

from cases import audit, queries, wording, workflow
from cases.models import Case, Finding
from cases.signature import MOST_PICTURES
from cases.signed import signed_content
from cases.workflow import Decision, Refused
from inference.labels import CellClass
from tests import make
from tests.cases.api import as_person, url
from tests.cases.test_workflow_reports import LSIL, change, proof, signed_case
from tests.make_accounts import PASSWORD

NILM = make.NILM
KOILOCYTOTIC, PARABASAL = CellClass.KOILOCYTOTIC, CellClass.PARABASAL

pytestmark = pytest.mark.django_db


def amend(case, *cells, read=LSIL, by=None, **fields):
    user = by or case.reviewer
    return workflow.amend(case, user, change(**fields), read, proof(user), cells=cells)


def is_now(image, cell_class=KOILOCYTOTIC, **fields):
    return Decision(image_id=image.pk, cell_class=cell_class, **fields)


def cells(report):
    return {cell["image"]: cell for cell in json.loads(report.content)["cells"]}


def test_r12_each_version_holds_its_own_findings_and_the_new_one_says_what_was_before():
    case = signed_case()
    first, second = case.images.all()
    colleague = make.pathologist(laboratory=case.laboratory, name="Dr. Second")

    amend(case, is_now(first), by=colleague)

    old, new = case.reports.all()
    assert {cell["finding"] for cell in cells(old).values()} == {"Parabasal"}
    assert cells(new)[first.digest]["finding"] == "Koilocytotic"
    assert cells(new)[first.digest]["amended"] == {
        "version": 2,
        "by": {"name": "Dr. Second", "user": colleague.pk},
        "before": "Parabasal",
    }
    assert cells(new)[second.digest] == cells(old)[second.digest]
    assert json.loads(new.content)["cells_read_by"]["user"] == case.reviewer_id
    assert json.loads(new.content)["pictures"] == [first.digest]


def test_findings_alone_can_be_amended_and_what_is_said_already_changes_nothing():
    case = signed_case()
    first, second = case.images.all()

    amend(case, is_now(first, CellClass.METAPLASTIC), is_now(second, PARABASAL), read=NILM)

    new = case.reports.current().get()
    assert cells(new)[first.digest]["finding"] == "Metaplastic"
    assert cells(new)[second.digest]["amended"] is None
    with pytest.raises(Refused, match="what the report says already"):
        amend(case, is_now(second, PARABASAL), read=NILM, supersedes=2)


def test_a_cell_can_be_excluded_by_an_amendment():
    case = signed_case()
    first = case.images.first()

    amend(case, Decision(image_id=first.pk, exclusion="Out of focus"), read=NILM)

    cell = cells(case.reports.current().get())[first.digest]
    assert (cell["finding"], cell["exclusion"]) == (None, "Out of focus")
    assert case.reports.current().get().kind == "amendment"


def test_the_finding_that_stood_is_withdrawn_and_kept_and_the_new_one_says_whose_it_is():
    case = signed_case()
    first = case.images.first()
    stood = Finding.objects.get(image=first)
    colleague = make.pathologist(laboratory=case.laboratory)

    amend(case, is_now(first), by=colleague)

    stood.refresh_from_db()
    made = queries.standing_findings(case).get(image=first)
    assert stood.withdrawn_at is not None
    assert (made.cell_class, made.amended_by, made.prediction) == (
        "Koilocytotic",
        colleague,
        stood.prediction,
    )
    assert made.review == stood.review


def test_the_pictures_of_amended_cells_are_shown_however_many_there_were():
    case = make.case(Case.Status.REVIEWING, images=MOST_PICTURES + 1)
    for image in case.images.all():
        make.finding(case, image, KOILOCYTOTIC)
    *shown, left_out = case.images.all()
    pictures = [image.pk for image in shown]
    workflow.sign(case, case.reviewer, LSIL, proof(case.reviewer), pictures)

    amend(case, is_now(left_out, PARABASAL))

    told = json.loads(case.reports.current().get().content)["pictures"]
    assert left_out.digest in told
    assert len(told) == MOST_PICTURES


def test_a_later_version_carries_the_amended_findings_on():
    case = signed_case()
    first = case.images.first()
    amend(case, is_now(first))

    workflow.addend(case, case.reviewer, change(2), "HPV: negative.", proof(case.reviewer))
    amend(case, is_now(first, CellClass.DYSKERATOTIC), supersedes=3)

    two, three, four = case.reports.all()[1:]
    assert cells(three) == cells(two)
    assert cells(four)[first.digest]["amended"] | {"by": ""} == {
        "version": 4,
        "by": "",
        "before": "Koilocytotic",
    }


def test_r3_the_result_must_fit_the_findings_as_amended():
    case = signed_case(LSIL, KOILOCYTOTIC, images=1)
    image = case.images.get()
    unsatisfactory = NILM.from_json({"adequacy": "UNSAT", "reasons": ["BLOOD"]})

    with pytest.raises(Refused, match="R3"):
        amend(case, read=unsatisfactory)
    amend(case, is_now(image, PARABASAL), read=unsatisfactory)

    assert case.reports.count() == 2


@pytest.mark.parametrize(
    "said",
    [
        {"cell_class": ""},
        {"cell_class": "Nonsense"},
        {"cell_class": "Parabasal", "exclusion": "Blurred"},
        {"cell_class": "", "exclusion": "  "},
        {"cell_class": "", "exclusion": "x" * 201},
        {"cell_class": "", "exclusion": "nul\0"},
    ],
)
def test_what_cannot_be_said_of_a_cell_issues_no_version_and_leaves_the_finding(said):
    case = signed_case()
    stood = set(queries.standing_findings(case))

    with pytest.raises(Refused):
        amend(case, is_now(case.images.first()), is_now(case.images.last(), **said))

    assert case.reports.count() == 1
    assert set(queries.standing_findings(case)) == stood


def test_a_cell_of_another_case_is_not_amended():
    case, other = signed_case(), signed_case()

    with pytest.raises(Refused, match="not in the report"):
        amend(case, is_now(other.images.first()))


def test_r19_only_a_pathologist_amends_findings_and_only_in_the_version_in_force():
    case = signed_case()
    first = case.images.first()

    with pytest.raises(PermissionDenied):
        amend(case, is_now(first), by=case.accessioned_by)
    amend(case, is_now(first))
    with pytest.raises(workflow.StaleReport):
        amend(case, is_now(first, CellClass.METAPLASTIC), supersedes=1)

    assert case.reports.count() == 2


def test_r18_the_trail_keeps_old_and_new_findings_and_tells_them():
    case = signed_case()
    first, second = case.images.all()

    amend(case, is_now(first), is_now(second), read=NILM.from_json(LSIL.to_json()))

    event = audit.trail(case, with_views=False).get(action="amend")
    assert sorted(event.detail["changes"]["cells"]) == sorted(
        [image.digest, "Parabasal", "Koilocytotic"] for image in (first, second)
    )
    told = wording.event(event, {})
    assert told.startswith(
        "Amended the report: from NILM to LSIL; 2 cells from Parabasal to Koilocytotic. "
    )


def test_the_signed_text_read_back_tells_which_version_changed_a_finding():
    case = signed_case()
    first = case.images.first()
    amend(case, is_now(first))
    workflow.addend(case, case.reviewer, change(2), "HPV: negative.", proof(case.reviewer))

    second, third = (signed_content(report, case) for report in case.reports.all()[1:])

    assert [cell.digest for cell, _ in second.amended_here] == [first.digest]
    assert third.amended_here == []
    assert [how.version for _, how in third.amended_cells] == [2]


def posted(case, **fields):
    return {
        "supersedes": 1,
        "adequacy": "SAT",
        "interpretations": ["LSIL"],
        "reason": "A second look.",
        "affects_care": "no",
        "password": PASSWORD,
    } | fields


def test_the_page_offers_every_cell_as_it_is_and_changes_those_that_were_chosen_anew(client):
    case = signed_case()
    first, second = case.images.all()
    client.force_login(case.reviewer)
    address = reverse("case-amend", args=[case.pk])

    form = client.get(address).context["form"]
    offered = {image: field.value() for image, field in form.cells()}
    client.post(
        address,
        posted(case, **{f"cell-{first.pk}": "Koilocytotic", f"cell-{second.pk}": "Parabasal"}),
    )

    assert offered == {first.pk: "Parabasal", second.pk: "Parabasal"}
    page = client.get(reverse("case-report", args=[case.pk]))
    assertContains(page, "Koilocytotic, before: Parabasal")
    assertContains(page, "amended in version 2")
    old = client.get(reverse("case-report-version", args=[case.pk, 1]))
    assertNotContains(old, "Koilocytotic")


def test_a_refusal_on_the_page_keeps_the_findings_that_were_chosen(client):
    case = signed_case()
    first = case.images.first()
    client.force_login(case.reviewer)
    chosen = {f"cell-{first.pk}": "excluded: Artefact"}

    answer = client.post(
        reverse("case-amend", args=[case.pk]), posted(case, password="a guess", **chosen)
    )

    assertContains(
        answer, '<option value="excluded: Artefact" selected>Excluded: Artefact</option>'
    )
    assert case.reports.count() == 1


def test_the_api_asks_once_who_amended_however_many_cells():
    case = signed_case(images=4)
    client = as_person(case.reviewer)
    images = list(case.images.all())

    def queries_of(*amended):
        amend(case, *(is_now(image) for image in amended), supersedes=case.reports.count())
        client.get(url("case-detail", case))
        with CaptureQueriesContext(connection) as asked:
            told = client.get(url("case-detail", case)).json()
        assert sum(one["amended_by"] is not None for one in told["findings"]) >= len(amended)
        return len(asked)

    assert queries_of(images[0]) == queries_of(*images[1:])


def test_findings_are_amended_over_the_api_all_of_them_or_none():
    case = signed_case()
    first, second = case.images.all()
    said = posted(case, affects_care=False) | {"interpretations": ["LSIL"]}
    client = as_person(case.reviewer)
    wanted = {"image": str(first.pk), "cell_class": "Koilocytotic"}

    refused = client.post(
        url("case-amend", case), said | {"cells": [wanted, {"image": str(second.pk)}]}
    )
    made = client.post(url("case-amend", case), said | {"cells": [wanted]})

    assert refused.status_code == 409
    found = {finding["image"]: finding for finding in made.json()["findings"]}
    assert found[str(first.pk)]["cell_class"] == "Koilocytotic"
    assert found[str(first.pk)]["amended_by"]["id"] == case.reviewer_id
    assert found[str(second.pk)]["amended_by"] is None
    assert made.json()["status"] == Case.Status.SIGNED
