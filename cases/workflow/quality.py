"""After the signature: look-backs at earlier cases (R7), histology beside cytology (R8)."""

from dataclasses import dataclass
from datetime import date, datetime

from django.db.transaction import atomic

from accounts.models import User
from cases import audit, bethesda, clock, correlation, permissions, policy
from cases.models import Case, Histology, Report, Task
from cases.workflow import words
from cases.workflow.transition import InvalidTransition, Refused, locked, require

YEARS = 5
LONGEST_NOTE = 2000  # characters
Status = Case.Status


def open_look_backs(case: Case, user: User, read: bethesda.Read) -> list[Task]:
    """List the patient's negative cases of the last five years where a read is as grave as HSIL.

    Called by the verbs once they have issued the grave report, within their transactions; asked
    again it adds nothing.
    """
    if not bethesda.calls_for_look_back(read):
        return []
    reports = (
        Report.objects.current()
        .filter(
            case__patient=case.patient_id,
            case__status=Status.SIGNED,
            case__signed_at__gte=_years_ago(clock.now()),
        )
        .select_related("case")
        .order_by("case__signed_at")
    )
    opened = []
    for report in reports:
        if not policy.is_negative(bethesda.Read.from_json(report.read)):
            continue
        task, is_new = Task.objects.get_or_create(
            case=report.case, trigger=case, defaults={"opened_at": clock.now()}
        )
        if is_new:
            opened.append(task)
            audit.record(
                report.case,
                user,
                "ask_look_back",
                trigger=case.accession_number,
                result=bethesda.result(read),
            )
    return opened


def _years_ago(moment: datetime) -> datetime:
    day = 28 if (moment.month, moment.day) == (2, 29) else moment.day
    return moment.replace(year=moment.year - YEARS, day=day)


@dataclass(frozen=True, slots=True, kw_only=True)
class LookBack:
    """What a second look at an earlier case found, and who was told where care is affected."""

    result: str
    note: str = ""
    notified: str = ""
    notified_at: datetime | None = None


def look_back(task: Task, user: User, said: LookBack) -> Task:
    """Answer a look-back, once. A discrepancy that affects care asks for an amendment besides."""
    with atomic():
        case = locked(task.case, "look back at", Status.SIGNED)
        require(permissions.can_look_back(user, case), "Only pathologists look back at a case.")
        task = (
            Task.objects.select_for_update(of=("self",)).select_related("done_by").get(pk=task.pk)
        )
        if task.done_by:
            raise InvalidTransition(
                f"{task.done_by.name} has answered this look-back already: nothing was changed."
            )
        _refuse(said)
        affects_care = said.result == Task.Result.AFFECTS_CARE
        task.done_by, task.done_at = user, clock.now()
        task.result, task.note = said.result, words.kept(said.note, "note", LONGEST_NOTE)
        task.notified = words.notified(said.notified, said.notified_at, affects_care=affects_care)
        task.notified_at = said.notified_at
        task.save()
        audit.record(
            case,
            user,
            "look_back",
            task=task.pk,
            result=task.result,
            notified=task.notified,
        )
    return task


def _refuse(said: LookBack) -> None:
    """Say what is missing of an answer, or cannot be."""
    if said.result not in Task.Result.values:
        raise Refused("Say what the second look found.")
    if said.result != Task.Result.CONFIRMED and not said.note.strip():
        raise Refused("Say what the discrepancy is.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tissue:
    """What a report on tissue says, and what a pathologist holds for the cause of a difference."""

    source: str
    reported_on: date
    result: str
    cause: str = ""
    note: str = ""


def record_histology(case: Case, user: User, given: Tissue) -> Histology:
    """Keep a result of histology beside a signed case, and how the two compare (R8).

    The same said again, after a connection that broke, is kept once.
    """
    with atomic():
        case = locked(case, "record histology for", Status.SIGNED)
        require(permissions.can_record_histology(user, case), "Only pathologists record histology.")
        if given.reported_on > clock.now().astimezone(case.laboratory.zone).date():
            raise Refused("The histology cannot have been reported in the future.")
        note = words.kept(given.note, "note", LONGEST_NOTE)
        same = case.histologies.filter(
            source=given.source,
            reported_on=given.reported_on,
            result=given.result,
            cause=given.cause,
            note=note,
        )
        if known := same.first():
            return known
        said = case.reports.current().get().read
        found = correlation.correlate(
            bethesda.Read.from_json(said), correlation.HistologyResult(given.result)
        )
        if found.needs_a_cause and not given.cause:
            raise Refused(
                f"{found.agreement.label}: say what caused it, sampling, screening or "
                "interpretation (R8)."
            )
        if given.cause and not found.needs_a_cause:
            raise Refused(f"{found.agreement.label}: there is no difference to have a cause.")
        made = Histology.objects.create(
            case=case,
            source=given.source,
            reported_on=given.reported_on,
            result=given.result,
            cytology=said,
            agreement=found.agreement,
            steps=found.steps,
            cause=given.cause,
            note=note,
            recorded_by=user,
            recorded_at=clock.now(),
        )
        audit.record(
            case,
            user,
            "record_histology",
            result=made.result,
            agreement=made.agreement,
            cause=made.cause,
        )
    return made
