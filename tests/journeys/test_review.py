"""A pathologist's morning in a real browser, by keyboard: claim, decide, sign, and nothing lost."""

import re
import time

import pytest
from django.urls import reverse

from cases import bethesda, queries, workflow
from cases.models import Case, Finding, Prediction, Report
from inference.labels import CellClass
from tests import make
from tests.make import proof
from tests.make_accounts import PASSWORD

BUSY = 60_000  # milliseconds that a loaded machine may need
Status = Case.Status
DYSKERATOTIC, KOILOCYTOTIC, METAPLASTIC, PARABASAL, SUPERFICIAL = CellClass


READ = bethesda.Read(adequacy=bethesda.Adequacy.SATISFACTORY, interpretations=("LSIL",))


@pytest.fixture
def case(transactional_db):
    """Forty cells that wait for a pathologist, each class eight times."""
    return waiting_case(40)


def waiting_case(images):
    case = make.case(Status.QUEUED, images=images)
    run = make.run(case, "done")
    for number, image in enumerate(case.images.all()):
        make.prediction(run, image, list(CellClass)[number % 5])
    Case.objects.filter(pk=case.pk).update(status=Status.AWAITING_REVIEW)
    case.refresh_from_db()
    return case


def claimed_case(images):
    case = waiting_case(images)
    return workflow.claim(case, make.pathologist(laboratory=case.laboratory))


@pytest.fixture
def complaints(page):
    """What the browser complained about: a violated policy, a missing file, a broken script."""
    heard = []
    listen(page, heard)
    return heard


def listen(page, heard):
    page.set_default_timeout(BUSY)
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.on("console", lambda m: heard.append(m.text) if m.type in ("error", "warning") else None)


def log_in(page, live_server, user, then):
    page.goto(live_server.url + then)
    page.get_by_label("E-mail address").fill(user.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Log out").wait_for()


def open_gallery(page, live_server, case):
    """Log in as the holder and wait until the keys are there."""
    gallery = reverse("case-detail", args=[case.pk])
    log_in(page, live_server, case.reviewer, gallery)
    page.locator("[data-bench]").get_by_role("button", name="Metaplastic").wait_for()


PRESSED = []  # every key of the journey that is under way


def press(page, *keys):
    PRESSED.extend(keys)
    for key in keys:
        page.keyboard.press(key)


def said(page, sentence):
    """Wait for a sentence in the line of saving."""
    from playwright.sync_api import expect  # as in conftest: only where there is a browser

    expect(page.locator("[data-saving-words]")).to_have_text(re.compile(sentence), timeout=BUSY)


def counts(page):
    names = ("decided", "excluded", "undecided", "images")
    return [int(page.locator(f"[data-count={name}]").inner_text()) for name in names]


def displayed(page, number):
    """Wait until so many cells were in sight, and that is saved."""
    from playwright.sync_api import expect

    expect(page.locator("[data-count=displayed]")).to_have_text(str(number), timeout=BUSY)


def tile(page, place):
    return page.locator(f"[data-place='{place}']")


def standing(case):
    """What the record holds: for each image by its name, the class or the reason."""
    found = Finding.objects.filter(review__case=case, withdrawn_at=None)
    return {f.image.name: f.cell_class or f.exclusion for f in found.select_related("image")}


def in_order(case):
    """The images as the gallery shows them: the abnormal first, then by name."""
    predictions = Prediction.objects.filter(image__case=case).select_related("image")
    ordered = sorted(predictions, key=lambda one: (-one.abnormality, one.image.name))
    return [prediction.image.name for prediction in ordered]


def test_forty_cells_are_decided_and_signed_without_the_mouse(page, complaints, live_server, case):
    pathologist = make.pathologist(laboratory=case.laboratory)
    names = in_order(case)
    model = {p.image.name: p.cell_class for p in Prediction.objects.select_related("image")}

    log_in(page, live_server, pathologist, reverse("case-detail", args=[case.pk]))
    page.locator("button:focus", has_text="Claim").wait_for()
    PRESSED.clear()
    began = time.perf_counter()
    press(page, "Enter")
    page.locator("[data-bench]").get_by_role("button", name="Metaplastic").wait_for()
    assert counts(page) == [0, 0, 40, 40]

    press(page, "Space", "3")  # confirm the first, correct the second
    press(page, "x", "1")  # exclude the third: out of focus
    press(page, "5", "u")  # a slip, and back
    press(page, *["Space"] * 37)
    said(page, "All saved")
    see_the_rest(page)
    press(page, "Home")  # what is far out of sight is not in the page

    expected = model | {names[1]: METAPLASTIC, names[2]: "Out of focus"}
    assert counts(page) == [39, 1, 0, 40]
    assert standing(case) == expected
    assert Finding.objects.count() == 41  # the slip is kept too, withdrawn
    assert tile(page, 1).locator("[data-standing]").text_content() == "Finding: Confirmed"
    assert "Corrected to Metaplastic" in tile(page, 2).inner_text()
    assert "Excluded: Out of focus" in tile(page, 3).inner_text()

    page.reload()
    page.locator("[data-bench]").get_by_role("button", name="Metaplastic").wait_for()
    assert counts(page) == [39, 1, 0, 40]
    assert "Corrected to Metaplastic" in tile(page, 2).inner_text()

    press(page, "s")
    page.wait_for_url("**/sign/", wait_until="commit")
    page.locator("[name=adequacy]:focus").wait_for()
    press(page, "Space")  # satisfactory
    tab_to(page, "[value=LSIL]")
    press(page, "Space")
    tab_to(page, "[name=comment]")
    page.keyboard.type("Seen with a colleague.")
    tab_to(page, "[name=password]")
    page.keyboard.type(PASSWORD)
    press(page, "Enter")
    page.wait_for_url("**/report/", wait_until="commit")
    tell_effort(began)

    report = Report.objects.get(case=case)
    block = page.locator("[data-signature]").inner_text()
    assert pathologist.name in block
    assert "Pathologist" in block
    assert re.search(r"\d\d:\d\d:\d\d \w+ \(UTC[+-]\d{4}\)", block)
    assert report.digest in block
    assert "Content matches its digest" in block
    assert "Low-grade squamous intraepithelial lesion (LSIL)" in page.locator("main").inner_text()
    assert complaints == []


def see_the_rest(page):
    """Keys were faster than eyes: N goes on to what was not in sight yet."""
    announced = page.locator("[data-announce]")
    while "not displayed yet" in (announced.text_content() or ""):
        page.wait_for_timeout(400)
        press(page, "n")


def tell_effort(began):
    took = time.perf_counter() - began
    print(f"forty cells read and signed with {len(PRESSED)} keys and two texts in {took:.1f} s")


def tab_to(page, selector):
    """Walk with the Tab key, as a person without a mouse does."""
    for _ in range(150):
        press(page, "Tab")
        if page.locator(f"{selector}:focus").count():
            return
    raise AssertionError(f"Tab does not lead to {selector}")


def test_a_case_is_not_signed_before_its_reader_saw_every_cell(
    page, complaints, live_server, transactional_db
):
    case = claimed_case(20)
    page.set_viewport_size({"width": 800, "height": 560})  # a part of them is further down
    open_gallery(page, live_server, case)

    press(page, "Control+a", "Space")
    page.locator("[data-count=displayed]:not(:text-is('0'))").wait_for()  # pictures come in time
    page.wait_for_timeout(1000)
    seen = int(page.locator("[data-count=displayed]").inner_text())
    assert 0 < seen < 20
    said(page, "All saved")
    press(page, "s")
    page.wait_for_url("**/sign/", wait_until="commit")
    unseen = page.locator("[data-unseen]")
    assert f"{20 - seen} cells were never displayed to you" in unseen.inner_text()
    assert queries.displays(case).count() == seen
    with pytest.raises(workflow.Refused, match="never displayed"):
        workflow.sign(case, case.reviewer, READ, proof(case.reviewer))

    unseen.get_by_role("link", name="Go to the first of them").click()
    page.locator("[data-bench]").get_by_role("button", name="Metaplastic").wait_for()
    for _ in range(20):
        page.wait_for_timeout(400)
        press(page, "n")
    displayed(page, 20)
    press(page, "s")
    page.wait_for_url("**/sign/", wait_until="commit")

    assert not page.locator("[data-unseen]").count()
    assert queries.displays(case).count() == 20
    workflow.sign(case, case.reviewer, READ, proof(case.reviewer))
    assert complaints == []


COVER = """
new MutationObserver((_, observer) => {
  const sheet = document.querySelector("[data-keys]");
  if (!sheet || !document.querySelector("[data-gallery]")) return;
  observer.disconnect();
  sheet.showModal();
}).observe(document, { childList: true, subtree: true });
"""


def test_what_stands_under_a_dialog_or_has_no_picture_is_not_displayed(
    page, live_server, transactional_db
):
    case = claimed_case(3)
    names = in_order(case)
    broken = reverse("thumbnail", args=[case.pk, case.images.get(name=names[2]).pk])
    page.route(f"**{broken}", lambda route: route.abort())

    page.add_init_script(COVER)  # before the page's own scripts begin
    open_gallery(page, live_server, case)
    page.wait_for_timeout(1500)
    under_a_dialog = page.locator("[data-count=displayed]").inner_text()
    press(page, "Escape")
    displayed(page, 2)
    page.wait_for_timeout(500)

    assert under_a_dialog == "0"
    assert page.locator("[data-count=displayed]").inner_text() == "2"


def test_several_cells_are_selected_decided_and_undone_together(
    page, complaints, live_server, transactional_db
):
    case = claimed_case(6)
    open_gallery(page, live_server, case)

    press(page, "Shift+ArrowRight", "Shift+ArrowRight", "4")
    assert counts(page) == [3, 0, 3, 6]
    tile(page, 5).click()
    tile(page, 6).click(modifiers=["Shift"])
    press(page, "Delete")  # nothing to take back: changes nothing
    press(page, "Control+a", "Space")
    assert counts(page) == [6, 0, 0, 6]
    press(page, "Control+z")
    assert counts(page) == [3, 0, 3, 6]
    press(page, "u")
    said(page, "All saved")

    assert counts(page) == [0, 0, 6, 6]
    assert standing(case) == {}
    assert Finding.objects.count() == 3 + 6 + 3  # a mind that was changed is kept
    assert complaints == []


PRESS_QUICKLY = """
([codes, times]) => {
  for (let n = 0; n < times; n += 1) {
    const code = codes[n % codes.length];
    const key = code.slice(-1).toLowerCase();
    const pressed = new KeyboardEvent("keydown", { code, key, bubbles: true });
    document.activeElement.dispatchEvent(pressed);
  }
}
"""


def test_every_step_is_undone_however_many_there_were_and_after_a_reload_too(
    page, live_server, transactional_db
):
    case = claimed_case(1)
    open_gallery(page, live_server, case)
    page.route("**/findings/", lambda route: route.abort())  # 600 answers are not what is shown
    page.on("dialog", lambda dialog: dialog.accept())  # "leave the page?"
    press(page, "4")

    page.evaluate(PRESS_QUICKLY, [["Digit3", "Digit5"], 600])
    page.reload()
    page.locator("[data-bench]").get_by_role("button", name="Metaplastic").wait_for()
    assert "Corrected to Superficial" in tile(page, 1).inner_text()
    page.evaluate(PRESS_QUICKLY, [["KeyU"], 600])

    assert "Corrected to Parabasal" in tile(page, 1).inner_text()
    assert counts(page) == [1, 0, 0, 1]
    press(page, "u")
    assert counts(page) == [0, 0, 1, 1]
    press(page, "u")
    assert page.locator("[data-announce]").text_content() == "There is nothing to undo."


def test_a_held_key_decides_one_cell_only(page, live_server, transactional_db):
    case = claimed_case(4)
    open_gallery(page, live_server, case)

    for _ in range(5):  # the browser repeats a key that stays down
        page.keyboard.down("3")
    page.keyboard.up("3")
    said(page, "All saved")

    assert counts(page) == [1, 0, 3, 4]


def test_a_cell_is_decided_on_its_own_page_and_the_gallery_is_where_it_was(
    page, complaints, live_server, transactional_db
):
    case = claimed_case(5)
    names = in_order(case)
    open_gallery(page, live_server, case)

    press(page, "ArrowRight", "Enter")
    page.wait_for_url("**/cells/**", wait_until="commit")
    page.locator(".chart .main-svg").first.wait_for()  # the five probabilities are drawn
    page.get_by_text("A description of a class of cells").first.wait_for()
    press(page, "3")
    said(page, "All saved")
    assert counts(page) == [1, 0, 4, 5]
    page.get_by_role("heading", name="Your class: Metaplastic").wait_for()
    press(page, "x", "2")
    press(page, "u")
    said(page, "All saved")
    press(page, "ArrowRight")
    page.get_by_text("Cell 3 of 5").wait_for()
    page.locator("[data-large] [aria-pressed]").first.wait_for()
    press(page, "Space", "Escape")
    page.locator("#content [data-cell]:focus-within").wait_for()

    assert page.locator(".cell.current").get_attribute("data-place") == "3"
    said(page, "All saved")
    assert counts(page) == [2, 0, 3, 5]
    assert standing(case)[names[1]] == METAPLASTIC
    # The way back may cut off an answer; what is then sent again is refused as stale, and counts.
    assert [heard for heard in complaints if "409" not in heard] == []


def test_a_page_that_was_written_before_the_last_key_was_saved_catches_up(
    page, live_server, transactional_db
):
    case = claimed_case(3)
    open_gallery(page, live_server, case)
    gallery = page.url
    press(page, "Enter")
    page.locator("[data-large] [aria-pressed]").first.wait_for()
    saving = []

    def hold_the_first(route):
        if saving:
            route.continue_()
        else:
            saving.append(route)

    def overtake(route):
        written = route.fetch()  # the page as it is before the finding
        saving[0].fulfill(response=saving[0].fetch())
        route.fulfill(response=written)

    page.route("**/findings/", hold_the_first)
    page.route(gallery, overtake)
    press(page, "3")
    said(page, "Saving 1")
    page.goto(gallery)
    page.locator(".cell.current").wait_for()
    said(page, "All saved")

    assert counts(page) == [1, 0, 2, 3]
    assert "Corrected to Metaplastic" in tile(page, 1).inner_text()


def test_a_stale_tab_cannot_overwrite_a_newer_finding(page, live_server, transactional_db):
    case = claimed_case(3)
    open_gallery(page, live_server, case)
    stale = page.context.new_page()
    stale.set_default_timeout(BUSY)
    stale.goto(page.url)
    stale.locator("[data-bench]").get_by_role("button", name="Metaplastic").wait_for()
    name = in_order(case)[0]

    press(page, "3")
    said(page, "All saved")
    press(stale, "5")
    stale.get_by_text("Nothing was overwritten").wait_for()

    assert standing(case) == {name: METAPLASTIC}
    assert "Corrected to Metaplastic" in tile(stale, 1).inner_text()
    press(stale, "Home", "4")  # now it was seen, and may be changed
    said(stale, "All saved")
    assert standing(case) == {name: PARABASAL}


def test_a_moment_without_connection_loses_nothing(page, live_server, transactional_db):
    case = claimed_case(5)
    open_gallery(page, live_server, case)

    page.context.set_offline(True)
    press(page, "Space", "3", "4", "u", "5")
    said(page, "Not saved: no connection, trying again")
    assert counts(page) == [3, 0, 2, 5]
    assert standing(case) == {}
    page.context.set_offline(False)
    said(page, "All saved")

    first, second, third, *_ = in_order(case)
    assert standing(case) == {first: DYSKERATOTIC, second: METAPLASTIC, third: SUPERFICIAL}


def test_what_was_not_saved_outlives_a_reload_and_an_answer_that_was_lost(
    page, live_server, transactional_db
):
    case = claimed_case(4)
    open_gallery(page, live_server, case)

    def lose(route):
        route.fetch()
        route.abort()

    page.route("**/findings/", lambda route: route.abort())  # nor does a later try get through
    page.route("**/findings/", lose, times=1)  # the server keeps it, its answer never arrives
    press(page, "Space")
    said(page, "Not saved: no connection")
    press(page, "3")
    page.on("dialog", lambda dialog: dialog.accept())  # "leave the page?"
    page.unroute("**/findings/")
    page.reload()
    said(page, "All saved")

    first, second, *_ = in_order(case)
    assert counts(page) == [2, 0, 2, 4]
    assert standing(case) == {first: DYSKERATOTIC, second: METAPLASTIC}
    assert Finding.objects.count() == 2
    assert page.locator("[data-alert]").is_hidden()


def test_after_a_reload_the_page_is_where_it_was(page, complaints, live_server, transactional_db):
    case = claimed_case(60)
    names = in_order(case)
    open_gallery(page, live_server, case)
    press(page, "3", "End", "ArrowLeft")
    assert page.locator(".cell.current").get_attribute("data-place") == "59"
    said(page, "All saved")

    page.reload()
    page.locator("[data-bench]").get_by_role("button", name="Metaplastic").wait_for()

    assert page.locator(".cell.current").get_attribute("data-place") == "59"
    assert page.locator(".cell.current").evaluate(
        "tile => tile.getBoundingClientRect().top < innerHeight"
    )
    press(page, "4")
    said(page, "All saved")
    assert standing(case) == {names[0]: METAPLASTIC, names[58]: PARABASAL}
    page.goto(page.url)  # a visit anew begins with what is to be done first
    page.locator(".cell.current").wait_for()
    assert page.locator(".cell.current").get_attribute("data-place") == "2"
    assert complaints == []


def test_leaving_with_unsaved_findings_asks_first(page, live_server, transactional_db):
    case = claimed_case(2)
    open_gallery(page, live_server, case)
    asked = []

    def stay(dialog):
        asked.append(dialog.type)
        dialog.dismiss()

    page.route("**/findings/", lambda route: route.abort())
    press(page, "3")
    said(page, "Not saved")
    page.on("dialog", stay)
    page.get_by_role("link", name="Worklist").first.click(no_wait_after=True)
    page.wait_for_timeout(500)

    assert asked == ["beforeunload"]
    assert reverse("case-detail", args=[case.pk]) in page.url


def test_who_does_not_hold_the_case_has_no_keys(page, complaints, live_server, transactional_db):
    case = claimed_case(3)
    colleague = make.pathologist(laboratory=case.laboratory)

    log_in(page, live_server, colleague, reverse("case-detail", args=[case.pk]))
    page.get_by_text(f"{case.reviewer.name} holds this case, since").wait_for()
    press(page, "Tab", "3", "Space", "x", "Delete")

    assert not page.locator("[data-bench]").count()
    assert not page.locator("dialog[open]").count()
    assert not Finding.objects.exists()
    assert complaints == []


def test_a_key_waits_for_no_answer(page, live_server, transactional_db):
    case = claimed_case(10)
    open_gallery(page, live_server, case)
    held = []

    def hold_the_first(route):
        if held:
            route.continue_()
        else:
            held.append(route)

    page.route("**/findings/", hold_the_first)
    press(page, *["Space"] * 10)

    assert counts(page) == [10, 0, 0, 10]
    said(page, "Saving 10")
    held[0].continue_()
    said(page, "All saved")
    assert len(standing(case)) == 10


def test_no_key_waits_for_the_network(page, live_server, transactional_db):
    case = claimed_case(12)
    open_gallery(page, live_server, case)
    page.wait_for_timeout(1500)  # the neighbours are fetched ahead
    page.route("**/*", lambda route: None)  # from here on nothing is ever answered

    press(page, "3", "Enter")
    assert page.locator("[data-large]").is_visible()
    assert "What the model says" in page.locator("[data-details]").inner_text()
    press(page, "4", "ArrowRight", "5")
    assert page.get_by_text("Cell 3 of 12").is_visible()
    assert "Finding: Corrected" in page.locator("[data-large-standing]").inner_text()
    press(page, "Escape", "Control+a", "2", "u")

    assert counts(page) == [3, 0, 9, 12]
    said(page, "Saving")
    page.unroute_all(behavior="ignoreErrors")


def test_a_cell_on_which_the_model_abstained_has_nothing_to_confirm(
    page, complaints, live_server, transactional_db
):
    case = claimed_case(3)
    doubtful = make.abstain(case, case.images.last()).image
    open_gallery(page, live_server, case)
    assert tile(page, 1).get_attribute("data-cell") == str(doubtful.pk)

    press(page, "Space")
    in_gallery = page.locator("[data-alert-words]").inner_text()
    press(page, "Enter")
    page.wait_for_url("**/cells/**")
    page.locator("[data-decide]").wait_for()
    press(page, "Space")
    on_its_page = page.locator("[data-alert-words]").inner_text()
    nothing = standing(case)
    press(page, "4")
    said(page, "All saved")

    for sentence in (in_gallery, on_its_page):
        assert "needs a human look" in sentence
        assert "It cannot tell Metaplastic from Parabasal." in sentence
    assert nothing == {}
    assert standing(case) == {doubtful.name: PARABASAL}
    assert page.locator("[data-large-standing]").inner_text() == "Finding: Parabasal"
    assert complaints == []


def test_h_lays_the_map_over_the_picture_and_takes_it_away(
    page, complaints, live_server, transactional_db
):
    case = waiting_case(1)  # nobody holds it: who only looks may see the map as well
    image = case.images.get()  # a picture whose map has one strong place, for its own class
    at = reverse("cell", args=[case.pk, image.pk])
    log_in(page, live_server, make.pathologist(laboratory=case.laboratory), at)
    overlay = page.locator("[data-heat-map]")
    toggle = page.locator("[data-heat-toggle]")
    page.locator(".picture-frame.viewing").wait_for()
    assert not overlay.is_visible()

    press(page, "h")

    overlay.wait_for()
    fitted = overlay.bounding_box()
    frame = page.locator(".picture-frame").bounding_box()
    assert fitted["width"] == pytest.approx(fitted["height"], abs=1)  # a square picture
    assert fitted["width"] == pytest.approx(min(4 * image.width, frame["height"]), abs=2)
    assert fitted["x"] + fitted["width"] / 2 == pytest.approx(
        frame["x"] + frame["width"] / 2, abs=2
    )
    assert toggle.get_attribute("aria-pressed") == "true"
    words = page.locator("[data-heat-words]")
    assert words.inner_text() == (
        "For Dyskeratotic the strongest place is in the third row from the top, fifth from the "
        "left: 100 % of the strongest among the cells of this case."
    )
    assert opaque_at(overlay, 4.5 / 7, 2.5 / 7) == 255  # where the map is strongest
    assert opaque_at(overlay, 0.5 / 7, 0.5 / 7) == 0  # where it is negative
    press(page, "+")
    page.wait_for_timeout(600)
    assert overlay.bounding_box()["width"] > 1.4 * fitted["width"]  # it grows with the picture
    press(page, "0")
    page.get_by_label("Opacity").fill("30")
    assert overlay.evaluate("map => map.style.opacity") == "0.3"
    press(page, "ArrowRight")
    assert page.get_by_label("Opacity").input_value() == "35"
    page.locator("[name=heat-class][value=Parabasal]").check()
    assert words.inner_text() == "Nothing in this picture spoke for Parabasal."
    assert opaque_at(overlay, 4.5 / 7, 2.5 / 7) == 0
    press(page, "h")
    assert not overlay.is_visible()
    assert complaints == []


def test_a_cell_opened_from_the_gallery_is_whole_in_its_frame(page, live_server, transactional_db):
    page.set_viewport_size({"width": 1280, "height": 700})  # lower than the picture enlarged
    case = claimed_case(2)
    open_gallery(page, live_server, case)

    press(page, "Enter", "h")
    page.locator(".picture-frame.viewing").wait_for()
    page.locator("[data-heat-map]").wait_for()  # as large as the picture
    page.wait_for_timeout(1000)

    picture = page.locator("[data-heat-map]").bounding_box()
    frame = page.locator(".picture-frame").bounding_box()
    assert picture["height"] == pytest.approx(frame["height"], abs=4)
    assert picture["y"] == pytest.approx(frame["y"], abs=3)


def test_who_asks_to_sign_before_all_is_saved_is_taken_there_once_it_is(
    page, live_server, transactional_db
):
    case = claimed_case(1)
    held = []
    open_gallery(page, live_server, case)
    displayed(page, 1)
    page.route("**/findings/", lambda route: held.extend([route]))

    press(page, "3", "s")
    page.wait_for_timeout(500)
    told = page.locator("[data-alert-words]").inner_text()
    here = page.url
    held[0].continue_()
    page.wait_for_url("**/sign/", wait_until="commit")

    assert told == "Some findings are not saved yet. The page of signing opens once they are."
    assert not here.endswith("/sign/")
    assert len(standing(case)) == 1


IN_SIGHT = """
[...document.querySelectorAll("li[data-cell]")].filter((tile) => {
  const { top, bottom } = tile.getBoundingClientRect();
  return bottom > 0 && top < innerHeight;
}).map((tile) => tile.dataset.cell)
"""


def test_pictures_that_were_scrolled_past_do_not_hold_up_those_in_sight(
    page, live_server, transactional_db
):
    case = claimed_case(90)
    asked = []
    page.route("**/thumbnail.webp", lambda route: asked.extend([route]))  # none is answered yet
    open_gallery(page, live_server, case)
    page.mouse.move(600, 600)
    for _ in range(12):
        page.mouse.wheel(0, 700)
        page.wait_for_timeout(30)
    page.locator("li[data-place='90']").wait_for()
    passed = list(asked)
    for route in passed:
        route.continue_()
    page.wait_for_timeout(1000)

    in_sight = page.evaluate(IN_SIGHT)
    later = [route.request.url for route in asked[len(passed) :]]
    assert len(later) == 6
    assert all(any(cell in url for cell in in_sight) for url in later)
    page.unroute_all(behavior="ignoreErrors")


def test_tiles_find_their_places_again_when_the_window_was_turned_beside_a_large_cell(
    page, live_server, transactional_db
):
    case = claimed_case(6)
    open_gallery(page, live_server, case)

    press(page, "Enter")
    page.set_viewport_size({"width": 390, "height": 844})
    page.locator("[data-large]:visible").wait_for()
    press(page, "Escape")
    page.locator("li[data-cell]").nth(5).wait_for()

    edges = page.evaluate(
        "[...document.querySelectorAll('li[data-cell]')].map((tile) =>"
        " Math.round(tile.getBoundingClientRect().right))"
    )
    rows = page.evaluate(
        "new Set([...document.querySelectorAll('li[data-cell]')].map((tile) =>"
        " Math.round(tile.getBoundingClientRect().top))).size"
    )
    assert max(edges) <= 390
    assert rows == 3


def opaque_at(canvas, across, down):
    """How opaque the map is at a place, from 0 to 255."""
    return canvas.evaluate(
        """(map, [x, y]) => {
          const copy = new OffscreenCanvas(map.width, map.height);
          const context = copy.getContext("2d", { willReadFrequently: true });
          context.drawImage(map, 0, 0);
          return context.getImageData(x * map.width, y * map.height, 1, 1).data[3];
        }""",
        [across, down],
    )
