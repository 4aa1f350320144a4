"""A tile says the same whether the server wrote it or the script drew it.

The words stand in `templates/cases/_cell_tile.html` and in `static/js/tile.js`: a gallery of two
thousand cells has no tile of the server's, and one without scripts has no other.
"""

import pytest
from django.test import Client
from django.urls import reverse

from cases.models import ClassificationFailure, Prediction
from inference.labels import CellClass
from tests import make
from tests.journeys.test_review import BUSY, claimed_case

TOLD = """
(tiles) => tiles.map((tile) => ({
  place: tile.dataset.place,
  model: tile.dataset.model,
  words: [...tile.querySelectorAll("a > *")].map((part) =>
    part.textContent.replace(/\\s+/g, " ").trim()),
  picture: tile.querySelector("img").getAttribute("src"),
  instead: tile.querySelector("img").alt,
  leads: tile.querySelector("a").getAttribute("href"),
  shapes: [...tile.querySelectorAll("span[class]")].map(({ className }) => className),
}))
"""
ONE = ["It cannot tell Metaplastic from Parabasal."]
TWO = [*ONE, "It is unlike what the model knows."]


@pytest.fixture
def case(transactional_db):
    """A cell of every kind: what the model said of it, and what its reader found."""
    case = claimed_case(9)
    images = list(case.images.all())
    answers = {image.pk: Prediction.objects.filter(image=image) for image in images}
    answers[images[5].pk].update(reasons=ONE)
    answers[images[6].pk].update(reasons=TWO)
    for unread in images[7:]:
        answers[unread.pk].delete()
    run = case.runs.get()
    ClassificationFailure.objects.create(run=run, image=images[7], reason="It is too small.")
    make.finding(case, images[0], answers[images[0].pk].get().cell_class)
    make.finding(case, images[1], CellClass.METAPLASTIC)
    make.finding(case, images[5], CellClass.KOILOCYTOTIC)
    make.finding(case, images[2], exclusion="Out of focus")
    return case


@pytest.mark.parametrize("order", ["assisted", "blind"])
def test_a_tile_of_the_script_says_what_a_tile_of_the_server_says(
    order, browser, live_server, case
):
    case.reviews.update(is_blind=order == "blind")
    by_server, by_script = (tiles(browser, live_server, case, s) for s in (False, True))

    assert by_script == by_server
    assert len(by_script) == 9
    said = " ".join(part for tile in by_script for part in tile["words"])
    assert ("And more: open it large." in said) == (order == "assisted")
    assert ("It is too small." in said) == (order == "assisted")


def tiles(browser, live_server, case, scripts):
    client = Client()
    client.force_login(case.reviewer)
    context = browser.new_context(
        java_script_enabled=scripts, viewport={"width": 1280, "height": 2400}
    )
    key, morsel = next(iter(client.cookies.items()))
    context.add_cookies([{"name": key, "value": morsel.value, "url": live_server.url}])
    page = context.new_page()
    page.set_default_timeout(BUSY)
    page.goto(live_server.url + reverse("case-detail", args=[case.pk]))
    if scripts:
        page.locator(".cells.virtual [data-place='9'] img[src]").wait_for()
    told = page.locator("[data-cells] > li").evaluate_all(TOLD)
    context.close()
    return told
