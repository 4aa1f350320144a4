"""The page in a browser: Plotly draws under the content security policy, in light and dark."""

import pytest
from django.conf import settings
from django.urls import reverse

from inference.labels import CellClass
from tests import make
from tests.dashboards import world
from tests.dashboards.world import days

CELLS = list(zip(CellClass, reversed(CellClass), strict=True))
PHONE = {"width": 390, "height": 844}


@pytest.fixture
def complaints(page):
    """What the browser says against the page: policy violations, warnings, errors."""
    said = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    return said


@pytest.fixture
def address(page, live_server, client):
    """The dashboard with something to draw in each chart, and a browser that is logged in."""
    reader = make.pathologist(laboratory=world.laboratory())
    world.signed(reader, ago=days(1), took=30, cells=CELLS)
    world.signed(reader, ago=days(9), took=10, urgent=True, read=world.satisfactory("HSIL"))
    client.force_login(reader)
    name = settings.SESSION_COOKIE_NAME
    cookie = {"name": name, "value": client.cookies[name].value, "url": live_server.url}
    page.context.add_cookies([cookie])
    return f"{live_server.url}{reverse('dashboard')}?period=all"


def width_of(page, element):
    return page.locator(element).first.bounding_box()["width"]


def test_every_chart_is_drawn_and_the_browser_has_nothing_to_complain_of(page, address, complaints):
    response = page.goto(address)
    page.wait_for_function("document.querySelectorAll('.chart .main-svg').length >= 6")

    assert "default-src 'self'" in response.headers["content-security-policy"]
    assert page.locator(".js-plotly-plot").count() == page.locator("[data-chart]").count() == 6
    assert page.locator("[data-chart=cells-figure]").get_by_text("Model 1").count() == 5
    assert complaints == []


def test_a_chart_turns_dark_with_the_page(page, address, complaints):
    def axis_colour():
        label = page.locator("[data-chart=states-figure] .ytick text").first
        return label.evaluate("label => getComputedStyle(label).fill")

    page.goto(address)
    page.wait_for_selector("[data-chart=states-figure] .ytick text")
    light = axis_colour()
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(
        "light => getComputedStyle(document.querySelector("
        "'[data-chart=states-figure] .ytick text')).fill !== light",
        arg=light,
    )

    assert light == "rgb(27, 35, 39)"
    assert axis_colour() == "rgb(228, 233, 235)"
    assert complaints == []


def test_the_page_fits_a_phone(page, address, complaints):
    page.set_viewport_size(PHONE)
    page.goto(address)
    page.wait_for_function("document.querySelectorAll('.chart .main-svg').length >= 5")

    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    assert width_of(page, ".chart .main-svg") <= PHONE["width"]
    assert complaints == []
