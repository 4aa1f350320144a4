"""Nine faults that other programs of this kind are known for, each with its test.

The tests ask as people do, through pages and the API; what lies behind is tested where it lives.
"""

import re
from pathlib import Path

import pytest
import yaml
from django.db import IntegrityError, transaction
from django.urls import reverse
from pytest_django.asserts import assertContains

from accounts.models import Role, User
from cases import demonstration, workflow
from cases.models import Case, CellImage, Finding, Prediction, ReadingSettings, Report
from cases.workflow import Answer
from dashboards import statistics
from dashboards.period import Period
from inference.labels import CellClass
from tests import make
from tests.make_accounts import PASSWORD
from tests.test_borders import PATTERNS, READING, World

pytestmark = pytest.mark.django_db

ROOT = Path(__file__).parent.parent
Status = Case.Status
PROBABILITIES = (0.1, 0.6, 0.1, 0.1, 0.1)


def of(name, case, *more):
    return reverse(name, args=[case.pk, *[thing.pk for thing in more]])


def tiles(answer):
    """The list of the gallery alone: the large view, hidden, has the first of its cells."""
    return answer.content.decode().split("<ol")[1].split("</ol>")[0]


def rows(model):
    return list(model.objects.order_by("pk").values())


def classified(run):
    """The run as a worker leaves it that has answered every image."""
    workflow.begin(run)
    answers = [Answer(image.pk, PROBABILITIES) for image in run.case.images.all()]
    workflow.advance(run, answers)
    return workflow.record(run)


def test_the_last_partial_page_of_cells_is_loaded(client):
    case = make.case(Status.AWAITING_REVIEW, images=50)
    client.force_login(case.accessioned_by)
    gallery = of("case-detail", case)

    first, second = (client.get(gallery, {"page": number}) for number in (1, 2))

    assert (tiles(first).count('class="cell"'), tiles(second).count('class="cell"')) == (48, 2)
    assert 'data-place="50"' in tiles(second)
    handed = [row["id"] for row in second.context["rows"]]
    assert sorted(handed) == sorted(str(image.pk) for image in case.images.all())
    told = client.get(of("api-case-detail", case)).json()
    assert (len(told["images"]), len(told["predictions"])) == (50, 50)


def test_no_cell_is_relabelled_and_nothing_else_is_changed_by_get(client):
    world = World(READING)
    finding = make.finding(world.case, world.case.images.get(), CellClass.METAPLASTIC)
    asked = {"image": finding.image_id, "replaces": finding.pk, "cell_class": "Koilocytotic"}
    kept = (Case, CellImage, Finding, Prediction, Report, ReadingSettings, User)
    client.force_login(world.people["pathologist"])
    before = [rows(model) for model in kept]

    answers = {name: client.get(world.address(name), asked).status_code for name in PATTERNS}

    assert (answers["case-decide"], answers["api-case-findings"]) == (405, 405)
    assert [rows(model) for model in kept] == before


def test_running_the_model_again_deletes_no_earlier_prediction(client):
    case = make.case(Status.AWAITING_REVIEW, images=2)
    earlier = rows(Prediction)
    newer = make.newer_model_version()
    client.force_login(case.accessioned_by)

    client.post(of("case-reclassify", case))
    classified(case.runs.get(status="pending"))

    assert list(Prediction.objects.exclude(model_version=newer).order_by("pk").values()) == earlier
    assert Prediction.objects.filter(model_version=newer).count() == 2


def test_no_finding_begins_as_the_models_class_so_that_unreviewed_cells_would_look_agreed(client):
    case = make.case(Status.AWAITING_REVIEW, images=2)
    pathologist = make.pathologist(laboratory=case.laboratory)
    client.force_login(pathologist)

    client.post(of("case-claim", case))
    gallery = client.get(of("case-detail", case))
    signing = {"adequacy": "SAT", "interpretations": ["NILM"], "password": PASSWORD}
    refused = client.post(of("case-sign", case), signing)

    assert not Finding.objects.exists()
    assert tiles(gallery).count("none yet") == 2
    assert client.get(of("api-case-detail", case)).json()["findings"] == []
    assertContains(refused, "2 cells have no finding yet")
    scope = statistics.Scope.of(pathologist, Period.ALL)
    assert statistics.agreement(scope).compared == 0


def test_saving_deletes_and_recreates_neither_a_slide_nor_a_report(client):
    draft = make.case(images=2)
    signed = make.case(Status.SIGNED, images=1)
    make.report(signed)
    images, [report] = rows(CellImage), rows(Report)
    accession = {"record_number": "P-1", "specimen_type": "CONV", "priority": "urgent"}
    read = {"adequacy": "SAT", "interpretations": ["LSIL"], "password": PASSWORD}
    change = {"supersedes": "1", "reason": "A second look.", "affects_care": "no"}

    client.force_login(draft.accessioned_by)
    client.post(of("case-revise", draft), accession)
    client.force_login(signed.reviewer)
    client.post(of("case-amend", signed), read | change)

    draft.refresh_from_db()
    assert (draft.priority, draft.specimen_type) == ("urgent", "CONV")
    assert rows(CellImage) == images
    assert [version.version for version in signed.reports.all()] == [1, 2]
    assert Report.objects.filter(version=1).values().get() == report


def test_who_assigns_a_case_to_themselves_does_not_take_it_from_its_holder(client):
    case = make.case(Status.REVIEWING, images=1)
    finding = make.finding(case, case.images.get())
    client.force_login(make.pathologist(laboratory=case.laboratory))

    page = client.post(of("case-claim", case), follow=True)
    program = client.post(of("api-case-claim", case))

    assertContains(page, f"{case.reviewer.name} holds it")
    assert program.status_code == 409
    assert Case.objects.get().reviewer == case.reviewer
    assert Finding.objects.get() == finding


def stale_finding(client):
    case = make.case(Status.REVIEWING, images=1)
    client.force_login(case.reviewer)
    image = case.images.get()
    make.finding(case, image, CellClass.KOILOCYTOTIC)
    newer = rows(Finding)

    shown = {"image": image.pk, "replaces": "", "cell_class": "Metaplastic"}
    answer = client.post(of("case-decide", case), shown, follow=True)

    assertContains(answer, "changed elsewhere meanwhile")
    return newer, rows(Finding)


def stale_report(client):
    case = make.case(Status.SIGNED, images=1)
    make.report(case)
    client.force_login(case.reviewer)
    make.next_report(case, make.NILM)
    newer = rows(Report)

    shown = {"supersedes": "1", "reason": "So.", "affects_care": "no", "password": PASSWORD}
    answer = client.post(of("case-addend", case), shown | {"text": "HPV: negative."})

    assertContains(answer, "Version 2 of the report was issued meanwhile")
    return newer, rows(Report)


def stale_settings(client):
    administrator = make.administrator()
    client.force_login(administrator)
    address = reverse("reading-settings")
    fields = [field for field in client.get(address).context["form"] if field.initial]
    make.reading(administrator.laboratory, rescreen_percent=25, primary_screening=True)
    newer = rows(ReadingSettings)

    shown = {field.html_initial_name: field.initial for field in fields}
    shown |= {field.html_name: field.initial for field in fields}
    answer = client.post(address, shown | {"initial-primary_screening": "False"}, follow=True)

    assertContains(answer, "The settings are saved.")
    return newer, rows(ReadingSettings)


@pytest.mark.parametrize("send", [stale_finding, stale_report, stale_settings])
def test_a_stale_form_overwrites_no_newer_state(client, send):
    newer, after = send(client)

    assert after == newer


def test_a_prediction_is_kept_with_its_probabilities_and_its_model_version(client):
    case = make.case(Status.QUEUED, images=1)
    run = make.run(case)

    classified(run)

    kept = Prediction.objects.get()
    assert (kept.cell_class, tuple(kept.probabilities)) == ("Koilocytotic", PROBABILITIES)
    assert kept.model_version == run.model_version
    for lost in ({"probabilities": []}, {"model_version": None}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Prediction.objects.update(**lost)
    client.force_login(case.accessioned_by)
    [told] = client.get(of("api-case-detail", case)).json()["predictions"]
    assert told["probabilities"] == dict(zip(CellClass, PROBABILITIES, strict=True))
    assert told["model_version"]["digest"] == run.model_version.digest


def test_no_login_is_written_in_the_documentation_or_the_same_in_two_installations():
    pages = [ROOT / "README.md", ROOT / ".env.example", *ROOT.glob("docs/*.md")]
    written = "\n".join(page.read_text() for page in pages)
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    started = [str(service.get("command")) for service in compose["services"].values()]
    laboratory = make.laboratory()

    logins = []
    for email in ("one@example.org", "two@example.org"):
        seeding = demonstration._Seeding(demonstration.cells(""))  # noqa: SLF001
        seeding.person("Ada", Role.PATHOLOGIST, email, laboratory)
        logins += seeding.passwords.values()

    assert len(set(logins)) == 2
    assert min(map(len, logins)) >= 16
    assert not any("seed_demo" in command for command in started)
    assert not re.search(r"@(riverside|hillside)\.example", written)
    assert not re.search(r"password[\"'`]?\s*[:=]\s*[\"'`]", written, re.IGNORECASE)
