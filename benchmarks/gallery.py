"""A case of 2,000 drawn cells in a real browser: what is in the page, how soon, how smoothly.

Run it with ``.venv/bin/python -m pytest -p tests.conftest -s benchmarks/gallery.py``. It brings its
own servers and browser, prints its figures, and fails where cells have vanished.
"""

import os
import time
from io import BytesIO

import pytest
from django.urls import reverse

from tests.conftest import django_db_modify_db_settings  # noqa: F401 -- before the plugin's own

CELLS = int(os.environ.get("CELLS", "2000"))
DRAWN = 60  # different pictures; the others differ from them in one pixel
BUSY = 120_000  # milliseconds that a loaded machine may need
LONG = """
new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) (globalThis.long ??= []).push(duration);
}).observe({ type: "longtask", buffered: true });
"""
SCROLL = """
async () => {
  globalThis.long = [];
  const frames = [];
  let before = performance.now();
  const end = document.documentElement.scrollHeight - innerHeight;
  for (let at = 0; at <= end; at += 240) {
    scrollTo(0, at);
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    frames.push(now - before);
    before = now;
  }
  frames.sort((a, b) => a - b);
  const share = (part) => frames[Math.floor(frames.length * part)];
  const [median, p95, worst] = [share(0.5), share(0.95), frames.at(-1)];
  return { frames: frames.length, median, p95, worst, long: globalThis.long };
}
"""


@pytest.fixture
def case(transactional_db):
    from cases import synthetic
    from cases.models import Case
    from inference.labels import CellClass
    from tests import make

    case = make.case(Case.Status.QUEUED)
    classes = list(CellClass)
    drawn = [synthetic.draw(classes[seed % 5], seed, 120) for seed in range(DRAWN)]
    run = make.run(case, "done")
    for number in range(CELLS):
        picture = drawn[number % DRAWN].copy()
        picture.putpixel((number % 100, number // 100), (0, 0, 0))
        file = BytesIO()
        picture.save(file, "BMP")
        image = make.image(case, number, file.getvalue())
        make.prediction(run, image, classes[number % 5])
    Case.objects.filter(pk=case.pk).update(status=Case.Status.AWAITING_REVIEW)
    return case


def test_the_gallery_with_many_cells(case, browser, live_server):
    from tests import make
    from tests.journeys.test_review import log_in

    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(BUSY)
    under_way = set()
    page.on("request", lambda one: under_way.add(one))  # noqa: PLW0108 -- it has to be a function
    for end in ("requestfinished", "requestfailed"):
        page.on(end, lambda one: under_way.discard(one))  # noqa: PLW0108
    log_in(page, live_server, make.pathologist(laboratory=case.laboratory), reverse("worklist"))
    page.add_init_script(LONG)
    began = time.perf_counter()
    page.goto(live_server.url + reverse("case-detail", args=[case.pk]), wait_until="commit")
    answered = time.perf_counter() - began
    page.locator(".cells.virtual .cell img").first.wait_for()
    first = time.perf_counter() - began
    page.wait_for_load_state("networkidle")
    bytes_of_page = page.evaluate("performance.getEntriesByType('navigation')[0].decodedBodySize")
    nodes = page.evaluate("document.querySelectorAll('*').length")
    tiles = page.locator(".cells .cell").count()
    scrolled = page.evaluate(SCROLL)
    last = page.locator(f".cells [data-place='{CELLS}']")
    last.wait_for()
    while under_way:  # pictures that were scrolled past, and what is fetched ahead
        page.wait_for_timeout(500)
    context.close()

    print()
    print(f"{CELLS} cells; the page has {bytes_of_page / 1024:.0f} KiB")
    print(f"answered after {answered:.2f} s, first tile after {first:.2f} s")
    print(f"{nodes} elements in the page, {tiles} of them tiles")
    print(
        f"scrolled through in {scrolled['frames']} steps of 240 pixels: {scrolled['median']:.0f} ms"
        f" a frame at the median, {scrolled['p95']:.0f} ms at the 95th percentile,"
        f" {scrolled['worst']:.0f} ms at worst"
    )
    long = scrolled["long"]
    most = max(long, default=0)
    print(f"tasks longer than 50 ms while scrolling: {len(long)}, {most:.0f} ms at most")
    if tiles > CELLS / 2:
        pytest.fail("More tiles are in the page than are in sight.")
