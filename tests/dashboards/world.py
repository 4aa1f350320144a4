"""A small laboratory whose every number is counted by hand in the tests; the day is fixed."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from cases import bethesda, clock
from cases.models import Case, Review
from inference.labels import CellClass
from tests import make

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 6, 17, 15, tzinfo=BERLIN)  # a Wednesday
Status = Case.Status
DYS, KOI, META, PARA, SUPER = CellClass


def hours(number):
    return timedelta(hours=number)


def days(number):
    return timedelta(days=number)


def laboratory():
    return make.laboratory(
        time_zone="Europe/Berlin", routine_turnaround_hours=100, urgent_turnaround_hours=20
    )


def signed(  # noqa: PLR0913 -- each is a fact of the case, named at the call
    reader, *, ago, took, cells=(), read=None, urgent=False
):
    """A case signed so long before now, after so many hours; cells are (model, reader) pairs."""
    moment = NOW - ago
    with clock.at(moment):
        accessioned = moment - hours(took)
        case = make.case(
            Status.SIGNED,
            reviewer=reader,
            accessioned_at=accessioned,
            signed_at=moment,
            priority=Case.Priority.URGENT if urgent else Case.Priority.ROUTINE,
            due_at=accessioned + hours(20 if urgent else 100),
        )
        fill(case, cells)
        read = read or satisfactory("NILM")
        Review.objects.filter(case=case).update(read=read)
        make.report(case, bethesda.Read.from_json(read))
    return case


def reviewing(reader, *, ago, cells=()):
    """A case in review, accessioned so long before now, due five days after."""
    with clock.at(NOW - ago):
        case = make.case(Status.REVIEWING, reviewer=reader, accessioned_at=NOW - ago)
        fill(case, cells)
    return case


def open_case(status, by, *, ago):
    with clock.at(NOW - ago):
        return make.case(status, by=by, accessioned_at=NOW - ago)


def fill(case, cells):
    """Images with the model's answer and the reader's word; None says nothing, a text excludes."""
    run = case.runs.first()
    for position, (predicted, found) in enumerate(cells):
        image = make.image(case, position)
        if predicted:
            make.prediction(run, image, predicted)
        if found in set(CellClass):
            make.finding(case, image, found)
        elif found:
            make.finding(case, image, exclusion=found)


def satisfactory(*interpretations):
    return {"adequacy": "SAT", "interpretations": list(interpretations)}


def unsatisfactory():
    return {"adequacy": "UNSAT", "reasons": ["BLOOD"], "interpretations": []}
