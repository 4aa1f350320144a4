"""One cell large in a real browser: its tones, its scale, and what is fetched ahead."""

import re

import pytest
from django.urls import reverse

from cases.models import Case, CellImage, ReaderPreferences
from tests import make
from tests.journeys.test_review import claimed_case, open_gallery, press, waiting_case

Status = Case.Status


def open_large(page, live_server, case):
    open_gallery(page, live_server, case)
    press(page, "Enter")
    page.locator(".picture-frame.viewing").wait_for()


def tones(page):
    """How the picture in the viewer is toned, as the browser paints it."""
    return page.locator(".picture-frame canvas").first.evaluate(
        "canvas => [...canvas.closest('.picture-frame').querySelectorAll('canvas')]"
        ".map(one => one.style.filter).find(Boolean) ?? ''"
    )


def test_brightness_and_contrast_stay_from_cell_to_cell_until_they_are_reset(
    page, live_server, transactional_db
):
    open_large(page, live_server, claimed_case(3))
    assert tones(page) == ""

    page.get_by_label("Brightness").fill("150")
    page.get_by_label("Contrast").fill("200")
    toned = tones(page)
    page.locator("[data-viewer]").focus()
    press(page, "ArrowRight")
    page.get_by_text("Cell 2 of 3").wait_for()
    page.locator(".picture-frame.viewing").wait_for()
    beside = tones(page)
    page.get_by_role("button", name="As uploaded").click()

    assert toned == beside == "brightness(150%) contrast(200%)"
    assert tones(page) == ""
    assert page.get_by_label("Brightness").input_value() == "100"


def test_a_scale_stands_where_the_file_says_how_large_a_pixel_is_and_nowhere_else(
    page, live_server, transactional_db
):
    case = claimed_case(2)
    ReaderPreferences.objects.create(reader=case.reviewer, layout={"sort": "upload"})
    with_scale, without = case.images.order_by("uploaded_at")
    CellImage.objects.filter(pk=with_scale.pk).update(micrometres=0.25)
    open_large(page, live_server, case)
    assert page.locator(f"[name=image][value='{with_scale.pk}']").count()

    def micrometres_a_pixel():
        length = float(re.match(r"[\d.]+", page.locator("[data-scale-words]").inner_text())[0])
        return length / page.locator("[data-scale-bar]").bounding_box()["width"]

    page.locator("[data-scale]").wait_for()
    fitted = micrometres_a_pixel()
    press(page, "+")
    page.wait_for_timeout(600)
    enlarged = micrometres_a_pixel()
    press(page, "ArrowRight")
    page.get_by_text("Cell 2 of 2").wait_for()
    page.locator(".picture-frame.viewing").wait_for()

    assert fitted == pytest.approx(0.25 / 4, rel=0.05)  # a small picture is enlarged four times
    assert enlarged == pytest.approx(fitted / 1.5, rel=0.05)
    assert page.locator("[data-scale]").is_hidden()
    assert page.locator("[data-caption]").inner_text().count("µm") == 0
    assert without.micrometres is None


def test_the_next_three_pictures_and_the_next_case_are_there_before_they_are_asked_for(
    page, live_server, transactional_db
):
    case = claimed_case(8)
    after = waiting_case(3)  # of another laboratory: never fetched
    following = make.case(Status.AWAITING_REVIEW, by=case.accessioned_by, images=3)
    asked = []
    page.on("request", lambda request: asked.append(request.url))

    open_gallery(page, live_server, case)
    ids = page.locator("[data-cell]").evaluate_all("cells => cells.map(one => one.dataset.cell)")

    def fetched(*pictures):
        wanted = {live_server.url + reverse("image", args=[case.pk, one]) for one in pictures}
        return wanted <= set(asked)

    page.wait_for_timeout(4000)
    assert fetched(*ids[:4])
    assert not fetched(ids[4])
    press(page, "ArrowRight")
    page.wait_for_timeout(1000)
    assert fetched(ids[4])
    assert not fetched(ids[5])
    tiles = {
        live_server.url + reverse("thumbnail", args=[following.pk, image.pk])
        for image in following.images.all()
    }
    assert tiles <= set(asked)
    assert not [url for url in asked if str(after.pk) in url]
