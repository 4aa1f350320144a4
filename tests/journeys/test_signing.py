"""The page that signs, by keyboard, and where the work goes on from the report."""

import json

import pytest
from django.urls import reverse

from cases import workflow
from cases.models import Case, ReaderPreferences
from cases.signature import MOST_PICTURES
from inference.labels import CellClass
from tests import make
from tests.journeys.test_review import claimed_case, listen, log_in, open_gallery, press, tab_to
from tests.make_accounts import PASSWORD

Status = Case.Status


@pytest.fixture
def case(transactional_db):
    """Two more abnormal cells than a report shows, every one decided, and a case that waits."""
    case = claimed_case(MOST_PICTURES + 2)
    images = list(case.images.all())
    workflow.display(case, case.reviewer, [image.pk for image in images])
    koilocytotic = [
        workflow.Decision(image_id=image.pk, cell_class=CellClass.KOILOCYTOTIC) for image in images
    ]
    workflow.decide(case, case.reviewer, koilocytotic)
    return case


def test_signing_asks_one_thing_after_the_other_and_leads_to_the_next_case(page, live_server, case):
    complaints = []
    listen(page, complaints)
    after = make.case(Status.AWAITING_REVIEW, by=case.accessioned_by, images=1)
    log_in(page, live_server, case.reviewer, reverse("case-sign", args=[case.pk]))
    page.locator("[name=adequacy]:focus").wait_for()

    assert questions(page) == ["1 · Specimen adequacy", "2 · Pictures in the report"]
    press(page, "Space")
    assert questions(page) == [
        "1 · Specimen adequacy",
        "2 · Interpretation, for a satisfactory specimen",
        "3 · What else is seen (optional)",
        "4 · Pictures in the report",
    ]
    tab_to(page, "[value=LSIL]")
    press(page, "Space")
    tab_to(page, "[data-pictures] summary")
    press(page, "Enter", "Tab", "Space", "ArrowRight", "ArrowRight", "Space", "End", "Space")
    chosen = page.locator("[data-pictures] :checked")
    assert page.locator("[data-pictures-count]").inner_text() == str(MOST_PICTURES - 1)
    press(page, "Home", "Space", "ArrowRight", "ArrowRight", "Space")  # one too many
    assert chosen.count() == MOST_PICTURES
    assert page.locator("[data-pictures-full]").is_visible()
    press(page, "Tab")
    assert page.locator("[name=comment]:focus").count() == 1
    tab_to(page, "[name=password]")
    page.keyboard.type(PASSWORD)
    press(page, "Enter")
    page.wait_for_url("**/report/")
    press(page, "n")
    page.locator("[data-bench]").get_by_role("button", name="Metaplastic").wait_for()

    assert len(json.loads(case.reports.get().content)["pictures"]) == MOST_PICTURES
    assert page.url.endswith(reverse("case-detail", args=[after.pk]))
    assert Case.objects.get(pk=after.pk).holder == case.reviewer
    assert complaints == []


def questions(page):
    """The numbered parts of the form, from top to bottom."""
    legends = page.locator("legend:has([data-number])").all()
    return [legend.inner_text() for legend in legends if legend.is_visible()]


def test_a_large_picture_moves_by_the_keys_that_its_reader_chose(page, live_server, case):
    ReaderPreferences.objects.create(reader=case.reviewer, keys={"pan-left": "j"})
    open_gallery(page, live_server, case)
    press(page, "Enter", "+", "+", "h")
    page.locator("[data-heat-map]").wait_for()
    page.wait_for_timeout(600)
    picture = page.locator("[data-heat-map]")
    began = picture.bounding_box()["x"]

    press(page, "Shift+ArrowLeft")
    page.wait_for_timeout(500)
    assert picture.bounding_box()["x"] == pytest.approx(began, abs=2)
    press(page, "j")
    page.wait_for_timeout(500)

    assert picture.bounding_box()["x"] == pytest.approx(began + 60, abs=3)
