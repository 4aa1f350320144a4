"""A cytotechnologist in a real browser: accession, upload, submission, the answers arriving."""

import re
import zipfile
from io import BytesIO

import pytest
from django.urls import reverse
from PIL import Image

from cases.models import Case, Prediction
from inference.labels import CellClass
from tests import make
from tests.make_accounts import PASSWORD

BUSY = 60_000  # milliseconds that a loaded machine may need


@pytest.fixture
def cytotechnologist(transactional_db):
    make.model_version()
    return make.cytotechnologist()


def cells(number, first=0):
    """Pictures of so many different cells as Playwright takes files."""
    return [picked(f"cell-{n:02d}.png", cell(n)) for n in range(first, first + number)]


def cell(seed):
    return make.cell_picture(list(CellClass)[seed % 5], seed)


def picked(name, content, kind="image/png"):
    return {"name": name, "mimeType": kind, "buffer": content}


def log_in(page, live_server, user):
    page.goto(live_server.url + reverse("worklist"))
    page.get_by_label("E-mail address").fill(user.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("heading", name="Worklist").wait_for()


def open_draft(page, live_server, user):
    """Log in and open a new, empty case of the user's."""
    case = make.case(by=user)
    log_in(page, live_server, user)
    page.goto(live_server.url + reverse("case-detail", args=[case.pk]))
    page.get_by_text("Drop images, folders or zip archives here").wait_for()
    return case


def choose(page, files):
    page.get_by_label("Choose files").set_input_files(files)


def drop(page, *paths):
    """Drop files and folders of the disk on the page, as a person would."""
    devtools = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        devtools.send("Input.dispatchDragEvent", {"type": kind, "x": 400, "y": 350, "data": data})


def expect_summary(page, sentence):
    """Wait until the page says this of all the files."""
    from playwright.sync_api import expect  # as in conftest: only where there is a browser

    expect(page.locator("[data-summary]")).to_have_text(sentence, timeout=BUSY)


def problems(page):
    """The names of the files that are not in the case, with the sentence of each."""
    rows = page.locator("[data-problem-list] .upload-row").all()
    return {
        row.locator(".upload-name").inner_text(): row.locator(".upload-fate").inner_text()
        for row in rows
    }


def test_seventeen_of_twenty_dropped_files_are_stored_submitted_and_answered(
    page, live_server, cytotechnologist, worker, tmp_path_factory
):
    whole, notes, animation = cell(50), b"Not a picture at all.", BytesIO()
    white, black = (Image.new("RGB", (64, 64), colour) for colour in ("white", "black"))
    white.save(animation, "WEBP", save_all=True, append_images=[black])
    bad = [
        picked("cut-off.png", whole[: len(whole) // 2]),
        picked("notes.png", notes),
        picked("moving.webp", animation.getvalue(), "image/webp"),
    ]
    log_in(page, live_server, cytotechnologist)

    page.get_by_role("link", name="New case").first.click()
    page.get_by_label("Patient id").fill("P-4711")
    page.get_by_label("Patient name").fill("Maria Example")
    page.get_by_role("button", name="Create the case").click()
    page.get_by_text("Drop images, folders or zip archives here").wait_for()
    submit = page.get_by_role("button", name="Submit for classification")
    assert submit.is_disabled()
    folder = tmp_path_factory.mktemp("smear")  # the worker writes its log into tmp_path
    for file in [*cells(17), *bad]:
        (folder / file["name"]).write_bytes(file["buffer"])
    drop(page, *folder.iterdir())

    expect_summary(page, "20 of 20 files done: 17 stored, 3 refused.")
    said = problems(page)
    assert set(said) == {"cut-off.png", "notes.png", "moving.webp"}
    assert "cut off" in said["cut-off.png"]
    assert "not a picture" in said["notes.png"]
    assert "2 frames" in said["moving.webp"]
    assert page.get_by_role("img", name=re.compile("^Cell image")).count() == 17
    case = Case.objects.get()
    assert (case.patient.name, case.images.count()) == ("Maria Example", 17)

    submit.click()
    page.get_by_text(re.compile("of 17 images answered")).wait_for()
    page.get_by_text("Awaiting review", exact=True).first.wait_for(timeout=BUSY)

    assert Prediction.objects.filter(image__case=case).count() == 17
    page.get_by_role("link", name="Trail").click()
    page.get_by_text("Added 17 cell images.").wait_for()
    page.get_by_text("Submitted the case with 17 cell images.").wait_for()


def test_a_dropped_folder_and_a_dropped_archive_give_each_of_their_files_its_fate(
    page, live_server, cytotechnologist, tmp_path
):
    inner = tmp_path / "smear" / "field 1"
    inner.mkdir(parents=True)
    for number in range(3):
        (inner / f"cell-{number}.png").write_bytes(cell(number))
    (tmp_path / "smear" / ".DS_Store").write_bytes(b"left by a computer")
    with zipfile.ZipFile(tmp_path / "more.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("more/same.png", cell(0))
        archive.writestr("more/stored.png", cell(3), zipfile.ZIP_STORED)
        archive.writestr("more/packed.png", cell(4))
        archive.writestr("more/notes.txt", "Not a picture at all.")
        archive.writestr("__MACOSX/more/stored.png", "left by a computer")
    whole = (tmp_path / "more.zip").read_bytes()
    (tmp_path / "broken.zip").write_bytes(whole[: len(whole) // 2])
    encrypted = bytearray(whole)
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = encrypted.find(signature)
        while at >= 0:
            encrypted[at + flags] |= 1
            at = encrypted.find(signature, at + 1)
    (tmp_path / "locked.zip").write_bytes(encrypted)
    case = open_draft(page, live_server, cytotechnologist)

    drop(page, tmp_path / "smear")
    expect_summary(page, "3 of 3 files done: 3 stored.")
    drop(page, tmp_path / "more.zip", tmp_path / "broken.zip")
    expect_summary(page, "5 of 5 files done: 2 stored, 1 already in this case, 2 refused.")
    said = problems(page)
    drop(page, tmp_path / "locked.zip")
    expect_summary(page, "4 of 4 files done: 4 refused.")

    assert said["broken.zip"] == "The archive is broken or cut off: pack it again."
    assert "not a picture" in said["more.zip/more/notes.txt"]
    assert set(problems(page).values()) == {
        "The file is encrypted: pack it without a password.",
    }
    assert case.images.count() == 5


def test_an_upload_is_resumed_by_dropping_the_folder_again(
    page, live_server, cytotechnologist, tmp_path
):
    for file in cells(4):
        (tmp_path / file["name"]).write_bytes(file["buffer"])
    case = open_draft(page, live_server, cytotechnologist)
    choose(page, cells(2))
    expect_summary(page, "2 of 2 files done: 2 stored.")

    page.reload()
    drop(page, tmp_path)

    expect_summary(page, "4 of 4 files done: 2 stored, 2 already in this case.")
    assert case.images.count() == 4


def test_a_lost_connection_is_tried_again_and_then_left_to_the_person(
    page, live_server, cytotechnologist
):
    case = open_draft(page, live_server, cytotechnologist)
    lost = []

    def lose_some(route):
        """The first file loses its first two attempts, the second one all of them."""
        name = b"cell-00" if b"cell-00" in route.request.post_data_buffer else b"cell-01"
        lost.append(name)
        if name == b"cell-01" or lost.count(name) <= 2:
            route.abort()
        else:
            route.continue_()

    page.route("**/images/", lose_some)
    choose(page, cells(2))
    page.get_by_text("no connection, tried again in").first.wait_for()
    expect_summary(page, "1 of 2 files done: 1 stored, 1 not sent.")
    said = problems(page)
    page.unroute("**/images/")
    page.get_by_role("button", name="Try cell-01.png again").click()

    assert "could not be reached" in said["cell-01.png"]
    expect_summary(page, "2 of 2 files done: 2 stored.")
    assert case.images.count() == 2


def test_leaving_the_page_while_files_are_on_their_way_warns(page, live_server, cytotechnologist):
    open_draft(page, live_server, cytotechnologist)
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    held_up = []

    def hold_up(route):
        held_up.append(route)  # its answer does not come

    page.route("**/images/", hold_up)
    choose(page, cells(1))
    expect_summary(page, "0 of 1 file done.")
    assert page.get_by_role("button", name="Submit for classification").is_disabled()

    page.get_by_role("link", name="Dashboard").click(no_wait_after=True)
    page.wait_for_timeout(500)

    assert asked == ["beforeunload"]
    held_up[0].abort()


def test_an_image_can_be_removed_and_what_another_tab_submitted_is_closed(
    page, live_server, cytotechnologist
):
    case = open_draft(page, live_server, cytotechnologist)
    choose(page, cells(2))
    expect_summary(page, "2 of 2 files done: 2 stored.")

    page.get_by_role("button", name="Remove cell-00.png").click()
    page.get_by_role("heading", name="1 cell image in this case").wait_for()
    elsewhere = page.context.new_page()
    elsewhere.goto(page.url)
    elsewhere.get_by_role("button", name="Submit for classification").click()
    elsewhere.get_by_text("of 1 image answered").wait_for()
    choose(page, cells(3, first=5))

    expect_summary(page, "0 of 3 files done: 3 not sent.")
    assert [image.name for image in case.images.all()] == ["cell-01.png"]
    assert set(problems(page).values()) == {"Cannot add an image to a case that is queued."}


def test_all_of_it_works_without_javascript(browser, live_server, cytotechnologist):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    log_in(page, live_server, cytotechnologist)

    page.get_by_role("link", name="New case").first.click()
    page.get_by_label("Patient id").fill("P-4711")
    page.get_by_role("button", name="Create the case").click()
    choose(page, [*cells(2), picked("notes.png", b"Not a picture at all.")])
    page.get_by_role("button", name="Upload").click()

    page.get_by_text("2 images stored.").wait_for()
    assert page.get_by_text("notes.png: ").count() == 1
    page.get_by_role("button", name="Remove cell-00.png").click()
    page.get_by_role("heading", name="1 cell image in this case").wait_for()
    page.get_by_role("button", name="Submit for classification").click()
    page.get_by_text("of 1 image answered").wait_for()
    page.get_by_role("link", name="See how far it is now").click()
    page.get_by_text("of 1 image answered").wait_for()
    assert Case.objects.get().status == Case.Status.QUEUED
    context.close()
