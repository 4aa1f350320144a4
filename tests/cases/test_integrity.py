"""What `verify_audit` finds: tampering by SQL, with reports, with pictures on the disk."""

import json
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from accounts import events
from accounts.authentication import Reauthentication
from cases import audit, bethesda, integrity, workflow
from cases.models import AuditEvent, Case, Report
from tests import make
from tests.at_once import while_it_waits
from tests.tampering import tamper

NILM = bethesda.Read(
    adequacy=bethesda.Adequacy.SATISFACTORY,
    interpretations=("NILM",),
    ec_tz=bethesda.TransformationZone.PRESENT,
)

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def media_folder(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"


def signed_case():
    """A case signed with two pictures, as the verbs would have left it."""
    case = make.case(Case.Status.REVIEWING, images=2)
    for image in case.images.all():
        audit.record(
            case, case.accessioned_by, "add_image", image=str(image.pk), digest=image.digest
        )
        make.finding(case, image)
    proof = Reauthentication(case.reviewer.pk, timezone.now(), "password")
    return workflow.sign(case, case.reviewer, NILM, proof)


def found(case):
    return list(integrity.breaks(case.laboratory))


def file_of(image):
    [path] = Path(default_storage.location).rglob(f"{image.digest}.png")
    return path


def test_r18_what_was_not_tampered_with_is_whole(capsys):
    signed_case()
    signed_case()

    call_command("verify_audit")

    assert capsys.readouterr().out == "Whole: 6 events, every report and every picture.\n"


def test_r18_an_event_changed_by_sql_is_named_and_the_command_fails():
    case = signed_case()
    tamper("UPDATE cases_auditevent SET actor_id = NULL WHERE action = 'sign'")

    with pytest.raises(CommandError) as failure:
        call_command("verify_audit")

    assert failure.value.returncode == 1
    [sentence, total] = str(failure.value).splitlines()
    assert sentence.startswith(
        f"Event 3 of the chain of cases of {case.laboratory} (“sign” for {case},"
    )
    assert sentence.endswith("was changed or moved: its content no longer has its digest.")
    assert total == "1 break found."


def test_r18_an_event_of_an_account_changed_by_sql_is_named_too():
    case = signed_case()
    events.record(events.Action.LOGGED_IN, case.laboratory, case.reviewer, case.reviewer)
    tamper("UPDATE accounts_accountevent SET action = 'forged'")

    [sentence] = found(case)

    assert sentence.startswith(f"Event 1 of the chain of accounts of {case.laboratory}")


def test_r18_the_time_of_an_event_is_told_by_the_database_whatever_a_program_says():
    case = make.case()

    event = AuditEvent.objects.create(
        laboratory=case.laboratory, case=case, action="forged", recorded_at="2001-01-01T00:00:00Z"
    )

    assert event.recorded_at.year > 2001
    assert found(case) == []


@pytest.mark.parametrize("column", ["case_id", "from_status", "to_status", "action", "id"])
def test_r18_every_column_of_an_event_is_in_its_digest(column):
    case = signed_case()
    other = make.case(by=case.accessioned_by)
    value = {"case_id": other.pk, "id": 100_000}.get(column, "forged")

    tamper(f"UPDATE cases_auditevent SET {column} = %s WHERE sequence = 2", value)  # noqa: S608

    assert "Event 2 of" in found(case)[0]


def test_r18_the_columns_that_are_digested_are_all_there_are():
    columns = {field.attname for field in AuditEvent._meta.concrete_fields}  # noqa: SLF001

    assert columns - set(integrity.COLUMNS) == {"digest"}


def test_r16_a_report_changed_by_sql_is_named():
    case = signed_case()
    tamper("UPDATE cases_report SET content = replace(content, 'NILM', 'HSIL')")

    assert found(case) == [
        (
            f"Version 1 of the report of {case} was changed: its content no longer has the digest"
            " that was signed."
        )
    ]


def test_r16_a_report_changed_together_with_its_digest_is_named():
    case = signed_case()
    tamper(
        "UPDATE cases_report SET content = replace(content, 'NILM', 'HSIL'), digest ="
        " encode(sha256(convert_to(replace(content, 'NILM', 'HSIL'), 'UTF8')), 'hex')"
    )

    assert found(case) == [
        (
            f"Version 1 of the report of {case} is not one whose signature is in the chain: it was"
            " changed or inserted."
        ),
        f"A signed version of the report of {case} is gone: its signature is in the chain.",
    ]


def test_r16_a_report_that_was_removed_is_named():
    case = signed_case()
    tamper("DELETE FROM cases_report")

    assert found(case) == [
        f"A signed version of the report of {case} is gone: its signature is in the chain."
    ]


def test_r16_an_earlier_version_that_was_put_in_force_again_by_sql_is_named():
    case = signed_case()
    tamper(
        "INSERT INTO cases_report"
        " (case_id, version, kind, content, digest, signed_by_id, signed_at) SELECT"
        " case_id, 2, 'amendment', content, digest, signed_by_id, signed_at FROM cases_report"
    )

    assert found(case) == [
        (
            f"Version 2 of the report of {case} is not one whose signature is in the chain: it was"
            " changed or inserted."
        )
    ]


def test_a_picture_that_was_changed_on_the_disk_is_named():
    case = signed_case()
    image, other = case.images.all()
    file_of(image).write_bytes(file_of(other).read_bytes())

    assert found(case) == [
        (
            f"The picture {image.pk} of {case} is not what was stored. The stored picture"
            f" {image.digest[:8]} is damaged: its content no longer has its digest."
        )
    ]


def test_a_picture_that_is_gone_is_named():
    case = signed_case()
    image = case.images.last()
    file_of(image).unlink()

    assert found(case) == [
        (
            f"The picture {image.pk} of {case} is not what was stored. The picture"
            f" {image.digest[:8]} is missing from the store."
        )
    ]


def test_a_picture_exchanged_together_with_its_digest_is_named():
    case = signed_case()
    image = case.images.first()
    foreign = make.image(make.case(by=case.accessioned_by), 7)
    image.digest = foreign.digest
    image.save()

    assert found(case)[0] == (
        f"The picture {image.pk} of {case} is not the one whose upload is in the chain."
    )


def test_pictures_can_be_left_out():
    case = signed_case()
    file_of(case.images.first()).unlink()

    call_command("verify_audit", no_pictures=True)


def test_heads_are_kept_in_a_file_and_compared_with_the_next_time(tmp_path):
    case = signed_case()
    heads = tmp_path / "heads"
    call_command("verify_audit", heads=heads)
    call_command("verify_audit", heads=heads)  # nothing new is not written again
    [line] = heads.read_text().splitlines()
    assert json.loads(line)["length"] == 3

    tamper("DELETE FROM cases_auditevent WHERE sequence > 1")
    tamper("DELETE FROM cases_report")
    tamper(
        "UPDATE accounts_chainhead SET length = 1, digest ="
        " (SELECT digest FROM cases_auditevent WHERE sequence = 1)"
    )

    with pytest.raises(CommandError, match=f"chain of cases of {case.laboratory} once had 3"):
        call_command("verify_audit", heads=heads)
    assert heads.read_text().splitlines() == [line]


def test_a_file_that_holds_no_heads_is_not_added_to(tmp_path):
    signed_case()
    shopping = tmp_path / "shopping"
    shopping.write_text("milk\n")

    with pytest.raises(CommandError, match="does not hold heads"):
        call_command("verify_audit", heads=shopping)

    assert shopping.read_text() == "milk\n"


def test_of_each_thing_that_is_broken_one_sentence_tells():
    case = signed_case()
    tamper("UPDATE cases_report SET content = replace(content, 'NILM', 'HSIL')")
    tamper("UPDATE cases_auditevent SET detail = '{}' WHERE sequence = 1")
    for image in case.images.all():
        file_of(image).unlink()

    sentences = found(case)

    assert [sentence.split()[0] for sentence in sentences][:2] == ["Event", "Version"]
    assert sum("missing from the store" in sentence for sentence in sentences) == 2
    assert Report.objects.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("table", ["cases_report", "cases_cellimage"])
def test_what_is_written_while_the_check_looks_is_no_break(table):
    case = make.case(Case.Status.REVIEWING, images=1)
    image = case.images.get()
    audit.record(case, case.accessioned_by, "add_image", image=str(image.pk), digest=image.digest)
    make.finding(case, image)
    draft = make.case(by=case.accessioned_by)

    def hold():
        with connection.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")

    def go_on():
        workflow.sign(case, case.reviewer, NILM, make.proof(case.reviewer))
        workflow.add_image(draft, case.accessioned_by, "new.png", make.cell_picture(seed=9))

    assert while_it_waits(lambda: found(case), hold, go_on) == []
