"""Every page of the application through axe-core: light and dark, on a desk and on a phone.

The pages are those of the table of addresses in `tests.test_borders`, so that a new one cannot be
forgotten: whoever may see it looks at it here.
"""

import json

import pytest
from django.conf import settings
from django.test import Client

from cases.models import Case
from tests.journeys.test_review import BUSY
from tests.test_borders import ACTORS, ANSWERS, World

AXE = settings.NODE_MODULES / "axe-core" / "axe.min.js"
SIZES = {"desk": {"width": 1280, "height": 900}, "phone": {"width": 390, "height": 844}}
FIRST = ("pathologist", "administrator", "cytotechnologist", "anonymous")  # who is asked to look
HANDS_ON = ("cytotechnologist", "pathologist", "administrator")
# a case has another page in each of its states
OF_STATES = [("case-detail GET", state) for state in Case.Status.values]
PAGES = [(row, state) for row, (state, _) in ANSWERS.items() if row.endswith(" GET")]
LOOK = """
async () => {
  const found = await axe.run(document, { resultTypes: ["violations"] });
  const where = ({ target, failureSummary }) => `${target.join(" ")}: ${failureSummary}`;
  return found.violations.map(({ id, help, nodes }) => ({ id, help, nodes: nodes.map(where) }));
}
"""


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
@pytest.mark.parametrize(("row", "state"), dict.fromkeys([*PAGES, *OF_STATES]), ids=str)
def test_a_page_has_no_violation(row, state, browser, live_server, axe):
    name, actor = row.split()[0], onlooker(row, state)
    if name.startswith("api-") or actor is None:
        return
    world = World(state)
    client = Client()
    if actor != "anonymous":
        client.force_login(world.people[actor])
    answer = client.get(world.address(name))
    is_page = answer.headers["Content-Type"].startswith("text/html") and b"<html" in answer.content
    if not is_page:
        return  # a picture, a document, or a part that its page shows
    context = browser.new_context(reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(BUSY)
    cookies = [
        {"name": key, "value": morsel.value, "url": live_server.url}
        for key, morsel in client.cookies.items()
    ]
    context.add_cookies(cookies)
    page.goto(live_server.url + world.address(name))
    page.wait_for_load_state("networkidle")
    page.evaluate(axe)
    found = {}

    for size, viewport in SIZES.items():
        page.set_viewport_size(viewport)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            page.wait_for_timeout(150)
            if violations := page.evaluate(LOOK):
                found[f"{size}, {scheme}"] = violations
    context.close()

    assert not found, json.dumps(found, indent=2)
