"""Uploading through the API: every file has its own fate, and none spoils another."""

import zipfile
from io import BytesIO

import pytest
from PIL import Image

from cases.models import Case, CellImage
from tests import make
from tests.cases.api import as_person, url, with_token

pytestmark = pytest.mark.django_db

Status = Case.Status


def named(name, content):
    file = BytesIO(content)
    file.name = name
    return file


def jpeg():
    file = BytesIO()
    Image.open(BytesIO(make.cell_picture(seed=5))).convert("RGB").save(file, "JPEG")
    return file.getvalue()


def archive(**members):
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        for name, content in members.items():
            packed.writestr(name.replace("__", "/").replace("_png", ".png"), content)
    return file.getvalue()


def upload(client, case, *files):
    return client.post(
        url("case-images", case),
        {"file": [named(name, content) for name, content in files]},
        format="multipart",
    )


def test_each_of_many_files_has_its_own_fate():
    case = make.case(images=1)
    first = make.cell_picture(seed=11)

    answer = upload(
        with_token(case.accessioned_by),
        case,
        ("new.png", first),
        ("again.png", first),
        ("note.txt", b"this is no picture"),
        ("cut.jpg", jpeg()[:-300]),
        ("empty.png", b""),
        ("more.zip", archive(a_png=make.cell_picture(seed=12), b_png=b"no picture", c_png=first)),
    )

    assert answer.status_code == 200
    told = answer.json()
    fates = [(file["name"], file["fate"]) for file in told["files"]]
    assert fates == [
        ("new.png", "stored"),
        ("again.png", "known"),
        ("note.txt", "refused"),
        ("cut.jpg", "refused"),
        ("empty.png", "refused"),
        ("a.png", "stored"),
        ("b.png", "refused"),
        ("c.png", "known"),
    ]
    for file in told["files"]:
        assert bool(file["reason"]) == (file["fate"] != "stored"), file
        assert (file["image"] is None) == (file["fate"] == "refused"), file
    assert told["files"][1]["image"]["id"] == told["files"][0]["image"]["id"]
    assert told["images"] == case.images.count() == 3
    assert told["disclaimer"] == "Research and education only, not for diagnosis."
    assert [event.action for event in case.events.all()] == ["add_image", "add_image"]


def test_a_stored_image_is_told_with_its_size_and_addresses():
    case = make.case()

    answer = upload(as_person(case.accessioned_by), case, ("cell.png", make.cell_picture()))

    image = case.images.get()
    told = answer.json()["files"][0]["image"]
    assert told["id"] == str(image.pk)
    assert (told["name"], told["width"], told["height"]) == ("cell.png", image.width, image.height)
    assert told["picture"].endswith(f"/cases/{case.pk}/cells/{image.pk}/image.png")
    assert told["thumbnail"].endswith(f"/cases/{case.pk}/cells/{image.pk}/thumbnail.webp")


def test_an_upload_that_is_repeated_stores_nothing_twice():
    case = make.case()
    client = as_person(case.accessioned_by)
    files = [(f"{seed}.png", make.cell_picture(seed=seed)) for seed in (1, 2)]
    upload(client, case, *files)

    again = upload(client, case, *files)

    assert [file["fate"] for file in again.json()["files"]] == ["known", "known"]
    assert case.images.count() == 2


def test_a_file_beyond_the_limit_is_refused_with_both_sizes(settings):
    settings.IMAGE_MAX_BYTES = 1024 * 1024
    case = make.case()

    answer = upload(
        as_person(case.accessioned_by),
        case,
        ("large.png", b"\x89PNG" + b"\0" * 3 * 1024 * 1024),
        ("fine.png", make.cell_picture()),
    )

    large, fine = answer.json()["files"]
    assert (large["fate"], fine["fate"]) == ("refused", "stored")
    assert large["reason"] == "The file has 3.0 MB, more than the 1 MB allowed."


def test_more_parts_than_allowed_are_refused_whole(settings):
    settings.DATA_UPLOAD_MAX_NUMBER_FILES = 1
    case = make.case()

    answer = upload(
        with_token(case.accessioned_by), case, ("a.png", b"a"), ("b.png", make.cell_picture())
    )

    assert answer.status_code == 413
    assert answer.json()["detail"].startswith("The request carries more than is allowed")
    assert not case.images.exists()


def test_an_upload_without_a_file_says_how_to_send_one():
    case = make.case()

    answer = upload(as_person(case.accessioned_by), case)

    assert answer.status_code == 400
    assert answer.json() == {"file": ["Send at least one file, as a part named file."]}


def test_pictures_are_sent_as_parts_and_not_as_json():
    case = make.case()

    answer = as_person(case.accessioned_by).post(url("case-images", case), {"file": "x"})

    assert answer.status_code == 415


@pytest.mark.parametrize("content", [make.cell_picture(), b"no picture", b""])
def test_a_submitted_case_takes_no_image(content):
    case = make.case(Status.QUEUED, images=1)

    answer = upload(as_person(case.accessioned_by), case, ("late.png", content))

    assert answer.status_code == 409
    assert answer.json() == {"detail": "Cannot add an image to a case that is queued."}
    assert case.images.count() == 1


@pytest.mark.parametrize("content", [make.cell_picture(), b"no picture", b"PK\x03\x04broken"])
def test_nobody_learns_the_fate_of_a_file_that_is_not_theirs_to_send(content):
    case = make.case()
    colleague = make.cytotechnologist(laboratory=case.laboratory)

    answer = upload(as_person(colleague), case, ("cell.png", content))

    assert answer.status_code == 403
    assert answer.json()["detail"] == (
        "Only the cytotechnologist who accessioned the case may do this."
    )


def test_an_image_is_taken_out_of_a_draft():
    case = make.case(images=2)
    image = case.images.first()

    answer = as_person(case.accessioned_by).delete(url("case-image", case, image.pk))

    assert (answer.status_code, answer.content) == (204, b"")
    assert not CellImage.objects.filter(pk=image.pk).exists()
    assert case.images.count() == 1


def test_an_image_of_another_case_is_not_found():
    case = make.case()
    other = make.case(by=case.accessioned_by, images=1)

    answer = as_person(case.accessioned_by).delete(url("case-image", case, other.images.get().pk))

    assert answer.status_code == 404
    assert other.images.count() == 1


def test_an_image_of_a_submitted_case_stays():
    case = make.case(Status.QUEUED, images=1)

    answer = as_person(case.accessioned_by).delete(url("case-image", case, case.images.get().pk))

    assert answer.status_code == 409
    assert answer.json() == {"detail": "Cannot remove an image from a case that is queued."}


def test_a_request_that_announces_too_much_is_refused_before_it_is_stored(client, settings):
    settings.ARCHIVE_MAX_BYTES = 1000
    case = make.case()
    client.force_login(case.accessioned_by)
    picture = make.cell_picture(seed=3) + bytes(1000)

    program = upload(with_token(case.accessioned_by), case, ("large.png", picture))
    page = client.post(f"/cases/{case.pk}/upload/", {"file": named("large.png", picture)})

    assert (program.status_code, page.status_code) == (413, 400)
    assert not CellImage.objects.exists()
