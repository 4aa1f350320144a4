"""The page: who sees it, what it hands to the charts, and what it says when there is nothing."""

import json
import re

import pytest
from django.urls import reverse

from accounts.models import Role
from cases import clock
from inference.labels import CellClass
from tests import make
from tests.dashboards import world
from tests.dashboards.world import DYS, KOI, META, NOW, days

pytestmark = pytest.mark.django_db
URL = reverse("dashboard")
FIGURES = ["states", "cells", "turnaround", "agreement", "results", "changes"]
EVERYTHING = list(zip(CellClass, reversed(CellClass), strict=True))


@pytest.fixture(autouse=True)
def _on_that_day():
    with clock.at(NOW):
        yield


@pytest.fixture
def reader(client):
    user = make.pathologist(laboratory=world.laboratory())
    client.force_login(user)
    return user


def figures(response):
    found = re.findall(
        r'<script id="([a-z]+)-figure" type="application/json">(.*?)</script>',
        response.content.decode(),
    )
    return {name: json.loads(text) for name, text in found}


def test_a_stranger_is_led_to_the_login(client):
    response = client.get(URL)

    assert response.status_code == 302
    assert response.url == f"{reverse('login')}?next={URL}"


@pytest.mark.parametrize("role", Role.values)
def test_every_role_sees_the_numbers_of_the_laboratory(client, role):
    laboratory = world.laboratory()
    world.signed(make.pathologist(laboratory=laboratory), ago=days(1), took=5, cells=EVERYTHING)
    client.force_login(make.user(role, laboratory=laboratory))

    response = client.get(URL)

    assert response.status_code == 200
    assert [name for name in FIGURES if name in figures(response)] == FIGURES
    assert response.context["overview"].signed == 1


def test_a_page_is_only_read(client, reader):
    assert client.post(URL).status_code == 405


def test_each_chart_stands_beside_a_table_and_reads_the_figure_of_its_name(client, reader):
    world.signed(reader, ago=days(1), took=5, cells=EVERYTHING)

    page = client.get(URL).content.decode()

    assert re.findall(r'data-chart="([a-z]+)-figure"', page) == FIGURES
    assert page.count("<table") == len(FIGURES)


def test_the_tables_say_what_the_charts_show(client, reader):
    cells = [(DYS, DYS), (KOI, DYS), (KOI, "Blurred"), (META, META)]
    case = world.signed(reader, ago=days(1), took=30, cells=cells)
    make.abstain(case, case.images.last())
    world.signed(reader, ago=days(2), took=10, read=world.satisfactory("HSIL"))

    page = re.sub(r"\s+", " ", client.get(URL).content.decode())

    assert '20.0 h</span> <span class="label">Median turnaround' in page
    assert "50.0 % (1 of 2 cells)" in page
    assert "1 excluded by the reader, 1 on which the model abstained, 0 without an answer" in page
    assert "Cells on which the model abstained are left out" in page
    assert re.search(
        r'Needs a human look <span class="soft">\(no class\)</span></th> <td class="number">1<',
        page,
    )
    assert "4 cell images: 0 without an answer of the model; 1 excluded by a reader; " in page
    assert "High-grade squamous intraepithelial lesion" in page
    assert "Targets: routine 100 h, urgent 20 h." in page


def test_the_other_laboratory_s_numbers_never_appear(client, reader):
    stranger = make.pathologist(laboratory=world.laboratory())
    world.signed(stranger, ago=days(1), took=5, cells=EVERYTHING)

    before = client.get(URL, {"period": "all"})
    world.signed(reader, ago=days(1), took=7, cells=[(DYS, DYS)])
    after = client.get(URL, {"period": "all"})

    assert figures(before) == {}
    assert "Nothing to count yet" in before.content.decode()
    assert stranger.laboratory.name not in after.content.decode()
    assert figures(after)["cells"]["data"][0]["x"] == [1, 0, 0, 0, 0, 0]
    assert after.context["overview"].median_hours == 7.0


def test_the_period_is_chosen_by_the_address_and_marked(client, reader):
    world.signed(reader, ago=days(40), took=5)

    month, year = client.get(URL), client.get(URL, {"period": "year"})

    assert month.context["overview"].signed == 0
    assert year.context["overview"].signed == 1
    assert re.findall(r'\?period=(\w+)" aria-current', month.content.decode()) == ["30"]
    assert re.findall(r'\?period=(\w+)" aria-current', year.content.decode()) == ["year"]
    assert "since 19 May 2026" in month.content.decode()
    assert "Times are in Europe/Berlin." in month.content.decode()


def test_a_part_without_numbers_says_what_to_do(client, reader):
    world.signed(reader, ago=days(40), took=5)

    page = client.get(URL).content.decode()

    assert page.count('class="empty"') == 5
    assert "Choose a longer period" in page
    assert list(figures(client.get(URL))) == ["states"]


def test_the_page_takes_as_many_queries_for_three_cases_as_for_one(
    client, reader, django_assert_num_queries
):
    world.signed(reader, ago=days(1), took=5, cells=EVERYTHING[:1])
    client.get(URL)

    with django_assert_num_queries(12):
        client.get(URL)
    for ago in (2, 8):
        world.signed(reader, ago=days(ago), took=5, cells=EVERYTHING, urgent=ago == 8)
    with django_assert_num_queries(12):
        client.get(URL)
