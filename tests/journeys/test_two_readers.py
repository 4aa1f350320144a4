"""Two browsers on one case: who holds it, who loses it by being idle, and nothing overwritten."""

import re
import time
from datetime import timedelta

import pytest
from django.urls import reverse

from cases import queries, workflow
from cases.models import Case
from tests import make
from tests.journeys.test_review import (
    BUSY,
    DYSKERATOTIC,
    METAPLASTIC,
    PARABASAL,
    claimed_case,
    counts,
    in_order,
    log_in,
    open_gallery,
    press,
    said,
    standing,
)

Status = Case.Status


@pytest.fixture
def colleague_page(browser):
    """A browser of its own for the second reader."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(BUSY)
    yield page
    context.close()


def held_until(case):
    return Case.objects.values_list("held_until", flat=True).get(pk=case.pk)


def wait_until(question):
    end = time.monotonic() + BUSY / 1000
    while not question():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.1)


def test_an_active_reader_keeps_a_case_and_an_idle_one_loses_it_with_nothing_overwritten(
    page, colleague_page, live_server, transactional_db, settings
):
    settings.CLAIM_EXPIRES_AFTER = 20  # the page beats every second
    case = claimed_case(4)
    reader, colleague = case.reviewer, make.pathologist(laboratory=case.laboratory)
    gallery = reverse("case-detail", args=[case.pk])
    first, second, *_ = in_order(case)

    open_gallery(page, live_server, case)
    press(page, "3")
    said(page, "All saved")
    log_in(colleague_page, live_server, colleague, gallery)
    colleague_page.get_by_text(f"{reader.name} holds this case, since").wait_for()
    assert not colleague_page.get_by_role("button", name="Claim the case").count()

    # The heartbeat: who only moves the mouse keeps the case, one beat after the other.
    kept_until = held_until(case)

    def moved_on():
        page.mouse.move(300 + time.monotonic() % 7, 300)
        return held_until(case) > kept_until + timedelta(seconds=3)

    wait_until(moved_on)
    assert workflow.expire_idle() == 0

    # Idle: the page warns, then the colleague's look takes the case back and offers it.
    page.get_by_text("You have been idle").wait_for()
    page.get_by_text("this case went back to your colleagues").wait_for()
    colleague_page.reload()
    colleague_page.get_by_role("button", name="Claim the case").click()
    colleague_page.locator("[data-bench]").get_by_role("button", name="Metaplastic").wait_for()
    assert counts(colleague_page) == [0, 0, 4, 4]  # whoever reads begins with a clean mind
    settings.CLAIM_EXPIRES_AFTER = 600
    press(colleague_page, "Space")
    said(colleague_page, "All saved")

    # The stale tab: what it sends is refused, with the name of who holds the case now.
    press(page, "4")
    said(page, f"Not saved: {colleague.name} holds this case")
    page.get_by_text("You no longer hold this case").wait_for()
    assert standing_of(case, colleague) == {first: DYSKERATOTIC}
    assert standing_of(case, reader) == {first: METAPLASTIC}

    # The colleague gives it back; the reader claims again, and what lay in their tab is saved.
    workflow.release(Case.objects.get(pk=case.pk), colleague)
    page.on("dialog", lambda dialog: dialog.accept())  # "leave the page?"
    page.get_by_role("link", name="Look at the case").click()
    page.get_by_role("button", name="Claim the case").click()
    page.locator("[data-bench]").get_by_role("button", name="Metaplastic").wait_for()
    said(page, "All saved")
    assert counts(page) == [2, 0, 2, 4]
    assert standing_of(case, reader) == {first: METAPLASTIC, second: PARABASAL}
    assert standing_of(case, colleague) == {first: DYSKERATOTIC}


def standing_of(case, reader):
    """What the record holds of this reader."""
    review = case.reviews.get(reader=reader)
    found = review.findings.filter(withdrawn_at=None).select_related("image")
    return {finding.image.name: finding.cell_class for finding in found}


def test_undo_reaches_back_over_a_lost_connection_while_a_colleague_looks_on(
    page, colleague_page, live_server, transactional_db
):
    case = claimed_case(4)
    first, second, *_ = in_order(case)
    open_gallery(page, live_server, case)
    press(page, "3")
    said(page, "All saved")

    page.context.set_offline(True)
    press(page, "4", "5", "u")
    said(page, "Not saved: no connection")
    assert standing(case) == {first: METAPLASTIC}
    log_in(
        colleague_page,
        live_server,
        make.pathologist(laboratory=case.laboratory),
        reverse("case-detail", args=[case.pk]),
    )
    colleague_page.get_by_text("You see it read-only").wait_for()
    page.context.set_offline(False)
    said(page, "All saved")
    assert standing(case) == {first: METAPLASTIC, second: PARABASAL}

    press(page, "u", "u")
    said(page, "All saved")
    assert standing(case) == {}
    assert counts(page) == [0, 0, 4, 4]
    assert queries.standing_findings(case).count() == 0
    colleague_page.reload()
    assert re.search(r"0 decided", colleague_page.locator("[data-progress]").inner_text())
