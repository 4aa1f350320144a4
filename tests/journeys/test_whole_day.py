"""One case from the first file to the dashboard: two people, a real browser, a real worker."""

import re
from io import BytesIO

import pytest
from django.urls import reverse
from PIL import Image

from cases import synthetic
from cases.models import Case, Prediction
from inference.labels import CellClass
from tests import make
from tests.journeys.test_preparation import BUSY, cell, choose, expect_summary, picked
from tests.journeys.test_review import counts, log_in, press, said, see_the_rest, tab_to
from tests.make_accounts import PASSWORD


@pytest.fixture
def laboratory(transactional_db):
    make.model_version()
    return make.laboratory()


def drawn_cells(number):
    """Cells of all five classes, like enough for the model to stand by most of them."""
    files = []
    for seed in range(number):
        content = BytesIO()
        synthetic.draw(list(CellClass)[seed % 5], seed).save(content, "PNG")
        files.append(picked(f"cell-{seed:02d}.png", content.getvalue()))
    return files


def bad_files():
    """A text, half a picture, an animation."""
    animation = BytesIO()
    white, black = (Image.new("RGB", (64, 64), colour) for colour in ("white", "black"))
    white.save(animation, "WEBP", save_all=True, append_images=[black])
    whole = cell(50)
    return [
        picked("notes.png", b"Not a picture at all."),
        picked("cut-off.png", whole[: len(whole) // 2]),
        picked("moving.webp", animation.getvalue(), "image/webp"),
    ]


def figures(page, live_server):
    """The dashboard's table of signed cases and of cells, as a person reads them."""
    page.goto(live_server.url + reverse("dashboard"))
    text = page.locator("main").inner_text()
    signed = re.search(r"(\d+)\s*\n?Signed in the period", text)
    compared = re.search(r"\((\d+) of (\d+) cells\)", text)
    return signed and signed[1], compared and compared.groups()


def test_a_case_goes_from_its_files_to_the_dashboard(
    page, browser, live_server, laboratory, worker
):
    cytotechnologist = make.cytotechnologist(laboratory=laboratory)
    pathologist = make.pathologist(laboratory=laboratory)

    log_in(page, live_server, cytotechnologist, reverse("worklist"))
    page.get_by_role("link", name="New case").first.click()
    page.get_by_label("Patient id").fill("P-2018")
    page.get_by_role("button", name="Create the case").click()
    page.get_by_text("Drop images, folders or zip archives here").wait_for()
    choose(page, [*drawn_cells(17), *bad_files()])
    expect_summary(page, "20 of 20 files done: 17 stored, 3 refused.")
    page.get_by_role("button", name="Submit for classification").click()
    page.get_by_text("Awaiting review", exact=True).first.wait_for(timeout=BUSY)
    case = Case.objects.get()
    assert Prediction.objects.filter(image__case=case).count() == 17

    reading = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    log_in(reading, live_server, pathologist, reverse("dashboard"))
    before = figures(reading, live_server)
    reading.goto(live_server.url + reverse("case-detail", args=[case.pk]))
    reading.locator("button:focus", has_text="Claim").wait_for()
    press(reading, "Enter")
    reading.locator("[data-bench]").get_by_role("button", name="Metaplastic").wait_for()
    stated = [tile.get_attribute("data-model") for tile in reading.locator("[data-cell]").all()]
    corrected = next(place for place, cell_class in enumerate(stated) if cell_class)
    for place, cell_class in enumerate(stated):
        if place == corrected:
            press(reading, "3" if cell_class != "Metaplastic" else "4")
        else:  # where the model abstains there is nothing to confirm, and the reader says a class
            press(reading, "Space" if cell_class else "5")
    said(reading, "All saved")
    assert counts(reading) == [17, 0, 0, 17]
    see_the_rest(reading)
    compared = sum(map(bool, stated))
    press(reading, "s")
    reading.wait_for_url("**/sign/", wait_until="commit")
    reading.locator("[name=adequacy]:focus").wait_for()
    press(reading, "Space")
    tab_to(reading, "[value=ASC-US]")
    press(reading, "Space")
    tab_to(reading, "[name=password]")
    reading.keyboard.type(PASSWORD)
    press(reading, "Enter")
    reading.wait_for_url("**/report/", wait_until="commit")

    case.refresh_from_db()
    assert case.status == Case.Status.SIGNED
    assert before == ("0", None)
    assert figures(reading, live_server) == ("1", (str(compared - 1), str(compared)))
    reading.context.close()
