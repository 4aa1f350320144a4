"""Every page of the application through axe-core: light and dark, on a desk and on a phone.

The pages are those of the table of addresses in `tests.test_borders`, so that a new one cannot be
forgotten: whoever may see it looks at it here. A page is loaded once and looked at four times; what
dark paper can change is colour, so that only the rules of colour are asked again there.
"""

import json
import re
from collections import defaultdict

import pytest
from django.conf import settings
from django.test import Client

from cases.models import Case
from tests.journeys.test_review import BUSY
from tests.test_borders import ACTORS, ANSWERS, World

AXE = settings.NODE_MODULES / "axe-core" / "axe.min.js"
SIZES = {"desk": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}
EVERY_RULE = {"resultTypes": ["violations"], "preload": False}
OF_COLOUR = {"runOnly": {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}}
SCHEMES = {"light": EVERY_RULE, "dark": EVERY_RULE | OF_COLOUR}
FIRST = ("pathologist", "administrator", "cytotechnologist", "anonymous")  # who is asked to look
HANDS_ON = ("cytotechnologist", "pathologist", "administrator")
# What a page asks for once it is there: parts, pictures, the library of charts.
FETCHES = re.compile(rb"hx-get|data-chart|data-gallery|data-bench|data-viewer")
PAINTED = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
LOOK = """
async (asked) => {
  const found = await axe.run(document, asked);
  const where = ({ target, failureSummary }) => `${target.join(" ")}: ${failureSummary}`;
  return found.violations.map(({ id, help, nodes }) => ({ id, help, nodes: nodes.map(where) }));
}
"""


def pages_by_state():
    """The rows of the table, by the state of the case that they are about.

    The page of a case is another one in each of its states.
    """
    states = {state: ["case-detail GET"] for state in Case.Status.values}
    for row, (state, _) in ANSWERS.items():
        is_page = row.endswith(" GET") and not row.startswith("api-")
        if is_page and row not in states[state]:
            states[state].append(row)
    return states


def onlooker(row, state):
    """Who sees this page: of several the one who has most to do on it."""
    answers = dict(zip(ACTORS, ANSWERS[row][1].split(), strict=True))
    order = HANDS_ON if state in (Case.Status.DRAFT, Case.Status.FAILED) else FIRST
    seeing = [actor for actor in (*order, *FIRST) if answers[actor] == "200"]
    return seeing[0] if seeing else None


@pytest.fixture(scope="module")
def axe():
    if not AXE.exists():
        pytest.skip("axe-core is not installed: npm ci brings it")
    return AXE.read_text()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("state", "rows"), pages_by_state().items(), ids=Case.Status.values)
def test_no_page_has_a_violation(state, rows, browser, live_server, axe):
    world = World(state)
    by_onlooker = defaultdict(list)
    for row in rows:
        by_onlooker[onlooker(row, state)].append(row.split()[0])
    by_onlooker.pop(None, None)
    found, looked_at = {}, 0

    for actor, names in by_onlooker.items():
        client = Client()
        if actor != "anonymous":
            client.force_login(world.people[actor])
        context = browser.new_context(reduced_motion="reduce")
        page = context.new_page()
        page.set_default_timeout(BUSY)
        cookies = [
            {"name": key, "value": morsel.value, "url": live_server.url}
            for key, morsel in client.cookies.items()
        ]
        context.add_cookies(cookies)
        for name in names:
            address = world.address(name)
            answer = client.get(address)
            kind = answer.headers["Content-Type"]
            if not kind.startswith("text/html") or b"<html" not in answer.content:
                continue  # a picture, a document, or a part that its page shows
            page.goto(live_server.url + address)
            if FETCHES.search(answer.content):
                page.wait_for_load_state("networkidle")
            page.evaluate(axe)
            looked_at += 1
            found |= {f"{name}, {look}": told for look, told in violations(page) if told}
        context.close()

    assert looked_at
    assert not found, json.dumps(found, indent=2)


def violations(page):
    """What is wrong with a page in each of its four looks."""
    for size, viewport in SIZES.items():
        page.set_viewport_size(viewport)
        for scheme, asked in SCHEMES.items():
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            page.evaluate(PAINTED)
            yield f"{size}, {scheme}", page.evaluate(LOOK, asked)
