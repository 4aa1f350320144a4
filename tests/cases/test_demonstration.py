"""The demonstration: every state, two laboratories, drawn passwords, real verbs."""

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Count

from accounts.models import Laboratory, User
from cases import activation, demonstration, synthetic
from cases.models import AuditEvent, Case, CellImage, Prediction, Task
from inference.labels import CellClass
from tests import make

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def state_folder(settings, tmp_path):
    settings.STATE_DIR = tmp_path
    settings.MEDIA_ROOT = tmp_path / "media"
    return tmp_path


def test_seed_demo_fills_a_laboratory_and_shows_its_logins_again(state_folder, capsys):
    call_command("seed_demo")
    first = capsys.readouterr().out
    call_command("seed_demo")
    again = capsys.readouterr().out

    assert first == again
    assert (state_folder / "demo-logins.txt").stat().st_mode & 0o777 == 0o600
    logins = dict(line.split() for line in first.splitlines())
    people = User.objects.filter(email__in=logins)
    assert all(person.check_password(logins[person.email]) for person in people)
    assert people.count() == 4
    riverside = Case.objects.filter(laboratory__name=demonstration.LABORATORY)
    states = dict(riverside.values_list("status").annotate(count=Count("pk")))
    assert states == {
        "draft": 1,
        "queued": 1,
        "failed": 1,
        "awaiting_review": 4,
        "reviewing": 2,
        "signed": len(demonstration.SIGNED),
    }
    changes = riverside.filter(reports__version__gt=1).values_list("reports__kind", flat=True)
    assert sorted(changes) == ["addendum", "amendment"]
    doubtful = riverside.get(clinical_note=demonstration.DOUBTFUL.note)
    assert [image.name for image in doubtful.images.order_by("name") if "-0" not in image.name] == [
        "synthetic-between-two-classes.png",
        "synthetic-black.png",
        "synthetic-landscape.png",
        "synthetic-page.png",
    ]
    answers = {one.image.name: one for one in Prediction.objects.filter(image__case=doubtful)}
    between = answers["synthetic-between-two-classes.png"]
    assert set(between.prediction_set) == {CellClass.METAPLASTIC, CellClass.PARABASAL}
    absurd = [answers[f"synthetic-{kind}.png"] for kind in synthetic.Absurdity]
    assert all(answer.reasons for answer in (between, *absurd)), "each is left to a person"
    assert doubtful.images.count() == 6
    maps = doubtful.images.values_list("predictions__activation_maps", flat=True)
    sizes = {len(stored) for stored in maps}
    assert sizes <= activation.MAP_BYTES.keys(), "the real network gave them"
    neighbour = Laboratory.objects.get(name=demonstration.NEIGHBOUR)
    assert neighbour.cases.count() == 1
    assert (neighbour.reading.primary_screening, neighbour.reading.is_blind_first) == (True, True)
    assert Prediction.objects.count() == sum(
        case.images.count()
        for case in Case.objects.exclude(status__in=["draft", "queued", "failed"])
    )
    names = CellImage.objects.values_list("name", flat=True)
    assert all(name.startswith("synthetic-") for name in names), "each says that it is drawn"
    assert riverside.filter(due_at__lt=demonstration.clock.now()).exclude(status="signed").exists()
    assert set(AuditEvent.objects.values_list("action", flat=True)) >= {"sign", "requeue", "record"}
    assert Task.objects.get().done_at is None, "a look-back waits for an answer"
    call_command("verify_audit")


def test_a_folder_with_too_few_pictures_is_refused_before_anything_is_made(settings, tmp_path):
    folder: Path = tmp_path / "crops" / "im_Parabasal"
    folder.mkdir(parents=True)
    (folder / "001_01.png").write_bytes(make.cell_picture())
    settings.DEMO_IMAGES = str(tmp_path / "crops")

    with pytest.raises(CommandError, match="im_Dyskeratotic holds 0 pictures"):
        call_command("seed_demo")

    assert not User.objects.exists()
