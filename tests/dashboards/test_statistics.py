"""Every number of the dashboard, against a world that was counted by hand."""

from dataclasses import astuple
from datetime import date, timedelta

import pytest

from cases import bethesda, clock
from cases.models import Case, Finding, Report
from dashboards import statistics
from dashboards.period import Period
from inference.labels import CellClass
from tests import make
from tests.dashboards import world
from tests.dashboards.world import DYS, KOI, META, NOW, PARA, SUPER, Status, days, hours

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _on_that_day():
    with clock.at(NOW):
        yield


@pytest.fixture
def reader():
    return make.pathologist(laboratory=world.laboratory())


def scope(user, period=Period.MONTH):
    return statistics.Scope.of(user, period)


# --- Overview


def test_open_cases_count_whenever_they_came_and_signed_ones_in_the_period(reader):
    by = make.cytotechnologist(laboratory=reader.laboratory)
    world.open_case(Status.DRAFT, by, ago=days(1))
    world.open_case(Status.AWAITING_REVIEW, by, ago=days(2))
    world.open_case(Status.AWAITING_REVIEW, by, ago=days(200))  # overdue
    world.reviewing(reader, ago=days(40))  # overdue
    world.signed(reader, ago=days(3), took=10)
    world.signed(reader, ago=days(33), took=10)

    counted = statistics.overview(scope(reader))

    assert counted.any_case is True
    assert (counted.open, counted.overdue, counted.signed) == (4, 2, 1)
    assert [(row.state, row.label, row.count) for row in counted.states] == [
        ("draft", "Draft", 1),
        ("queued", "Queued", 0),
        ("classifying", "Classifying", 0),
        ("failed", "Failed", 0),
        ("awaiting_review", "Awaiting review", 2),
        ("reviewing", "In review", 1),
        ("signed", "Signed", 1),
    ]


def test_states_of_screening_are_shown_where_cases_are_in_them(reader):
    by = make.cytotechnologist(laboratory=reader.laboratory)
    world.open_case(Status.AWAITING_SCREENING, by, ago=days(1))

    counted = statistics.overview(scope(reader))

    assert ("awaiting_screening", 1) in [(row.state, row.count) for row in counted.states]
    assert "rescreening" not in {row.state for row in counted.states}


def test_turnaround_of_the_period_is_the_median_and_the_ninetieth_percentile(reader):
    for took in (10, 20, 30, 40, 110):
        world.signed(reader, ago=days(2), took=took)
    world.signed(reader, ago=days(60), took=1000)

    counted = statistics.overview(scope(reader))

    assert (counted.median, counted.median_hours) == (hours(30), 30.0)
    # a share of 0.9 of four steps is 3.6 steps: 40 h and six tenths of the way to 110 h
    assert (counted.ninetieth, counted.ninetieth_hours) == (hours(82), 82.0)
    assert (counted.on_time, counted.on_time_percent) == (4, 80.0)


def test_a_laboratory_without_cases_counts_nothing(reader):
    counted = statistics.overview(scope(reader, Period.ALL))

    assert counted.any_case is False
    assert (counted.open, counted.overdue, counted.signed, counted.on_time) == (0, 0, 0, 0)
    assert (counted.median, counted.ninetieth) == (None, None)
    assert (counted.median_hours, counted.ninetieth_hours, counted.on_time_percent) == (
        None,
        None,
        None,
    )
    assert {row.count for row in counted.states} == {0}


def test_a_period_includes_the_midnight_it_begins_with_and_not_the_moment_before(reader):
    first_midnight = NOW.replace(hour=0) - days(6)
    world.signed(reader, ago=NOW - first_midnight, took=1)
    world.signed(reader, ago=NOW - first_midnight + timedelta(microseconds=1), took=1)

    assert statistics.overview(scope(reader, Period.WEEK)).signed == 1
    assert statistics.overview(scope(reader, Period.MONTH)).signed == 2


@pytest.mark.parametrize(
    ("period", "signed"),
    [
        (Period.WEEK, 1),
        (Period.MONTH, 2),
        (Period.QUARTER, 3),
        (Period.YEAR, 4),
        (Period.ALL, 5),
    ],
)
def test_a_longer_period_counts_more(reader, period, signed):
    for ago in (6, 29, 89, 364, 365):
        world.signed(reader, ago=days(ago), took=1)

    assert statistics.overview(scope(reader, period)).signed == signed
    assert sum(row.count for row in statistics.interpretations(scope(reader, period))) == signed
    assert sum(row.signed for row in statistics.turnaround(scope(reader, period))) == signed


# --- Turnaround


def test_turnaround_has_a_row_for_each_week_and_priority(reader):
    world.signed(reader, ago=days(0), took=30)  # the week of Monday, 15 June
    world.signed(reader, ago=days(1), took=50)
    world.signed(reader, ago=days(2), took=120)
    world.signed(reader, ago=days(1), took=21, urgent=True)
    world.signed(reader, ago=days(10), took=8, urgent=True)  # the week of Monday, 1 June

    weeks = statistics.turnaround(scope(reader))

    routine, urgent = Case.Priority.ROUTINE, Case.Priority.URGENT
    this_week, two_weeks_ago = date(2026, 6, 15), date(2026, 6, 1)
    assert weeks == [
        statistics.TurnaroundWeek(two_weeks_ago, urgent, 1, 1, hours(8), hours(8)),
        statistics.TurnaroundWeek(this_week, routine, 3, 2, hours(50), hours(106)),
        statistics.TurnaroundWeek(this_week, urgent, 1, 0, hours(21), hours(21)),
    ]
    assert (weeks[1].median_hours, weeks[1].ninetieth_hours) == (50.0, 106.0)


def test_a_week_begins_on_monday_in_the_laboratory_s_zone(reader):
    monday = NOW.replace(hour=0) - days(2)  # 22:00 on Sunday in Greenwich
    world.signed(reader, ago=NOW - monday, took=1)
    world.signed(reader, ago=NOW - monday + timedelta(seconds=1), took=1)

    weeks = statistics.turnaround(scope(reader))

    assert [(row.week, row.signed) for row in weeks] == [
        (date(2026, 6, 8), 1),
        (date(2026, 6, 15), 1),
    ]


def test_targets_are_the_laboratory_s_settings(reader):
    assert statistics.targets(reader.laboratory) == [
        statistics.Target(Case.Priority.ROUTINE, 100),
        statistics.Target(Case.Priority.URGENT, 20),
    ]


# --- Cells


def test_cells_are_counted_by_the_model_s_class_and_by_the_reader_s(reader):
    world.signed(reader, ago=days(1), took=5, cells=[(DYS, DYS), (KOI, DYS), (KOI, "Out of focus")])
    world.reviewing(reader, ago=days(2), cells=[(SUPER, SUPER), (META, None), (None, PARA)])

    counted = statistics.cells(scope(reader))

    assert counted.classes == (
        statistics.ClassCount(DYS, predicted=1, found_signed=2, found_open=0),
        statistics.ClassCount(KOI, predicted=2, found_signed=0, found_open=0),
        statistics.ClassCount(META, predicted=1, found_signed=0, found_open=0),
        statistics.ClassCount(PARA, predicted=0, found_signed=0, found_open=1),
        statistics.ClassCount(SUPER, predicted=1, found_signed=0, found_open=1),
    )
    assert (counted.images, counted.predicted, counted.unanswered) == (6, 5, 1)
    assert (counted.found, counted.found_signed, counted.found_open) == (4, 2, 2)
    assert (counted.excluded, counted.undecided) == (1, 1)


def test_an_abstention_counts_apart_and_under_no_class(reader):
    case = world.reviewing(reader, ago=days(1), cells=[(DYS, None), (META, None), (None, None)])
    make.abstain(case, case.images.all()[1])

    counted = statistics.cells(scope(reader))

    assert [row.predicted for row in counted.classes] == [1, 0, 0, 0, 0]
    assert (counted.predicted, counted.abstained, counted.answered) == (1, 1, 2)
    assert counted.unanswered == 1


def test_cells_belong_to_the_period_in_which_their_case_was_accessioned(reader):
    world.signed(reader, ago=days(1), took=24 * 40, cells=[(DYS, DYS)])

    assert statistics.cells(scope(reader)).images == 0
    assert statistics.cells(scope(reader)).predicted == 0
    assert statistics.cells(scope(reader)).found == 0
    assert statistics.cells(scope(reader, Period.QUARTER)).images == 1


def test_a_withdrawn_finding_does_not_count(reader):
    case = world.reviewing(reader, ago=days(1), cells=[(DYS, DYS)])
    Finding.objects.update(withdrawn_at=NOW)
    make.finding(case, case.images.get(), KOI)

    counted = statistics.cells(scope(reader))

    assert [row.found for row in counted.classes] == [0, 1, 0, 0, 0]


def test_the_findings_of_a_released_review_do_not_count(reader):
    case = world.reviewing(reader, ago=days(1), cells=[(DYS, DYS)])
    case.reviews.update(ended_at=NOW)
    Case.objects.update(
        status=Status.AWAITING_REVIEW, reviewer=None, held_since=None, held_until=None
    )

    counted = statistics.cells(scope(reader))

    assert (counted.found, counted.undecided, counted.predicted) == (0, 1, 1)


def test_another_reader_s_released_findings_do_not_count_beside_the_holder_s(reader):
    first = make.pathologist(laboratory=reader.laboratory)
    case = world.reviewing(first, ago=days(1), cells=[(DYS, DYS)])
    case.reviews.update(ended_at=NOW)
    case.reviewer = reader
    case.save()
    case.reviews.create(reader=reader)
    make.finding(case, case.images.get(), KOI)

    counted = statistics.cells(scope(reader))

    assert [row.found for row in counted.classes] == [0, 1, 0, 0, 0]


def test_of_two_model_versions_the_one_that_readers_see_counts(reader):
    case = world.reviewing(reader, ago=days(1), cells=[(DYS, None), (DYS, None)])
    newer = make.model_version()
    newer.pk, newer.name, newer.digest, newer.is_current = None, "newer", "f" * 64, False
    newer.save()
    with clock.at(NOW + hours(1)):
        run = make.run(case, "done", version=newer)
    for image in case.images.all():
        make.prediction(run, image, KOI)

    counted = statistics.cells(scope(reader))

    assert [row.predicted for row in counted.classes] == [0, 2, 0, 0, 0]


def test_an_answer_of_an_earlier_run_of_the_same_version_counts_once(reader):
    case = world.reviewing(reader, ago=days(1), cells=[(DYS, None)])
    with clock.at(NOW + hours(1)):
        make.run(case, "done")

    counted = statistics.cells(scope(reader))

    assert (counted.images, counted.predicted, counted.classes[0].predicted) == (1, 1, 1)


# --- Agreement


def test_agreement_compares_the_standing_findings_of_signed_cases(reader):
    world.signed(
        reader,
        ago=days(1),
        took=5,
        cells=[(DYS, DYS), (DYS, DYS), (KOI, DYS), (META, PARA), (SUPER, SUPER)],
    )
    world.signed(reader, ago=days(2), took=5, cells=[(KOI, "Folded cell"), (None, PARA)])
    world.signed(reader, ago=days(50), took=5, cells=[(DYS, KOI)])
    world.reviewing(reader, ago=days(1), cells=[(DYS, KOI)])

    found = statistics.agreement(scope(reader))

    assert found.counts == (
        (2, 1, 0, 0, 0),
        (0, 0, 0, 0, 0),
        (0, 0, 0, 0, 0),
        (0, 0, 1, 0, 0),
        (0, 0, 0, 0, 1),
    )
    assert (found.compared, found.agreed, found.percent) == (5, 3, 60.0)
    assert (found.excluded, found.unanswered) == (1, 1)
    assert found.by_model == [2, 1, 1, 0, 1]
    assert [sum(row) for _, row, _ in found.rows] == [total for *_, total in found.rows]
    # by chance: 3 x 2 + 1 x 1 of 25; seen: 15 of 25
    assert found.kappa == pytest.approx((15 - 7) / (25 - 7))


def test_agreement_leaves_out_what_the_model_abstained_on(reader):
    case = world.signed(
        reader,
        ago=days(1),
        took=5,
        cells=[(DYS, DYS), (META, META), (None, PARA), (META, "Folded")],
    )
    for image in list(case.images.all())[1::2]:
        make.abstain(case, image)

    found = statistics.agreement(scope(reader))

    assert (found.compared, found.agreed, found.by_model) == (1, 1, [1, 0, 0, 0, 0])
    assert (found.abstained, found.unanswered, found.excluded) == (1, 1, 1)


def test_agreement_compares_with_the_answer_that_was_shown_to_the_reader(reader):
    case = world.signed(reader, ago=days(1), took=5, cells=[(DYS, DYS)])
    newer = make.model_version()
    newer.pk, newer.name, newer.digest, newer.is_current = None, "newer", "f" * 64, False
    newer.save()
    run = make.run(case, "done", version=newer)
    make.prediction(run, case.images.get(), KOI)

    assert statistics.agreement(scope(reader)).agreed == 1


def test_without_a_compared_cell_there_is_no_share_and_no_kappa(reader):
    found = statistics.agreement(scope(reader))

    assert (found.compared, found.percent, found.kappa) == (0, None, None)


def test_kappa_of_a_known_table():
    """Two readers of 50 grants: seen 0.7, by chance 0.5 x 0.6 + 0.5 x 0.4 = 0.5, so 0.4."""
    assert statistics.cohen_kappa([[20, 5], [10, 15]]) == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("counts", "kappa"),
    [
        ([[7, 0], [0, 3]], 1.0),
        ([[0, 5], [5, 0]], -1.0),
        ([[25, 25], [25, 25]], 0.0),
        ([[45, 15], [25, 15]], 0.1304),
        ([[25, 35], [5, 35]], 0.2593),
        ([[0, 0], [0, 0]], None),
        ([[9, 0], [0, 0]], None),
    ],
)
def test_kappa_of_other_tables(counts, kappa):
    found = statistics.cohen_kappa(counts)

    assert found == (kappa if kappa is None else pytest.approx(kappa, abs=5e-5))


# --- Interpretations


def test_a_signed_case_counts_once_under_its_leading_interpretation(reader):
    reads = [
        world.satisfactory("NILM"),
        world.satisfactory("NILM"),
        world.satisfactory("HSIL", "AGC-EC"),
        world.unsatisfactory(),
    ]
    for read in reads:
        world.signed(reader, ago=days(1), took=5, read=read)
    world.signed(reader, ago=days(50), took=5, read=world.satisfactory("LSIL"))
    world.reviewing(reader, ago=days(1))

    rows = statistics.interpretations(scope(reader))

    assert [(row.code, row.count, row.percent) for row in rows] == [
        ("NILM", 2, 50.0),
        ("HSIL", 1, 25.0),
        ("UNSAT", 1, 25.0),
    ]
    assert rows[1].label == "High-grade squamous intraepithelial lesion"


def test_the_read_of_a_reader_who_released_the_case_does_not_count(reader):
    case = world.signed(reader, ago=days(1), took=5, read=world.satisfactory("NILM"))
    case.reviews.create(
        reader=make.pathologist(laboratory=reader.laboratory),
        ended_at=NOW,
        read=world.satisfactory("HSIL"),
    )

    assert [row.code for row in statistics.interpretations(scope(reader))] == ["NILM"]


def test_a_case_whose_report_was_amended_counts_once_under_the_new_result(reader):
    case = world.signed(reader, ago=days(1), took=5, read=world.satisfactory("NILM"))
    world.signed(reader, ago=days(1), took=5, read=world.satisfactory("NILM"))
    make.next_report(case, bethesda.Read.from_json(world.satisfactory("HSIL")))

    rows = statistics.interpretations(scope(reader))

    assert [(row.code, row.count) for row in rows] == [("NILM", 1), ("HSIL", 1)]
    assert statistics.overview(scope(reader)).signed == 2


def test_a_signed_case_without_a_report_is_not_hidden(reader):
    with clock.at(NOW - days(1)):
        make.case(Status.SIGNED, reviewer=reader, signed_at=NOW - days(1))

    [row] = statistics.interpretations(scope(reader))

    assert (row.code, row.label, row.count) == ("", "No read on record", 1)


# --- Report changes


def changed(case, kind, *, ago):
    with clock.at(NOW - ago):
        make.next_report(case, make.NILM, kind)


def test_report_changes_count_by_kind_in_the_month_in_which_they_were_issued(reader):
    april = world.signed(reader, ago=days(60), took=5)  # 18 April
    may = world.signed(reader, ago=days(30), took=5)  # 18 May
    world.signed(reader, ago=days(29), took=5)
    changed(april, Report.Kind.ADDENDUM, ago=days(30))
    changed(april, Report.Kind.CORRECTION, ago=days(2))
    changed(may, Report.Kind.AMENDMENT, ago=days(1))

    found = statistics.report_changes(scope(reader, Period.QUARTER))

    # signed, addenda, amendments, corrections, and how many of the signed ones were changed
    assert [astuple(month) for month in found.months] == [
        (date(2026, 4, 1), 1, 0, 0, 0, 1),
        (date(2026, 5, 1), 2, 1, 0, 0, 1),
        (date(2026, 6, 1), 0, 0, 1, 1, 0),
    ]
    assert [month.changed_percent for month in found.months] == [100, 50, None]
    assert astuple(found.total)[1:] == (3, 1, 1, 1, 2)


def test_a_report_that_was_changed_twice_is_one_report_that_was_changed(reader):
    case = world.signed(reader, ago=days(3), took=5)
    for ago in (2, 1):
        changed(case, Report.Kind.ADDENDUM, ago=days(ago))

    [month] = statistics.report_changes(scope(reader)).months

    assert (month.addenda, month.changed, month.changed_percent) == (2, 1, 100)


def test_a_change_counts_in_the_period_in_which_it_was_issued(reader):
    case = world.signed(reader, ago=days(60), took=5)
    changed(case, Report.Kind.AMENDMENT, ago=days(3))

    [month] = statistics.report_changes(scope(reader)).months

    assert (month.signed, month.amendments) == (0, 1)


def test_the_first_of_a_month_is_the_laboratorys(reader):
    since = NOW - NOW.replace(month=6, day=1, hour=0, minute=30)  # in Greenwich still May
    world.signed(reader, ago=since, took=5)

    [month] = statistics.report_changes(scope(reader)).months

    assert month.month == date(2026, 6, 1)


# --- For all of them

COUNTED = [
    statistics.overview,
    statistics.turnaround,
    statistics.cells,
    statistics.agreement,
    statistics.interpretations,
    statistics.report_changes,
]


@pytest.mark.parametrize("count", COUNTED)
def test_another_laboratory_s_cases_never_count(reader, count):
    empty = count(scope(reader, Period.ALL))
    stranger = make.pathologist(laboratory=world.laboratory())
    world.signed(stranger, ago=days(1), took=5, cells=[(DYS, KOI), (KOI, "Blurred"), (None, DYS)])
    world.reviewing(stranger, ago=days(9), cells=[(DYS, DYS)])

    assert count(scope(stranger, Period.ALL)) != empty
    assert count(scope(reader, Period.ALL)) == empty


@pytest.mark.parametrize("count", COUNTED)
def test_three_cases_take_as_many_queries_as_one(reader, count, django_assert_num_queries):
    expected = 4 if count is statistics.cells else 1  # all images, and those that may be seen
    cells = list(zip(CellClass, reversed(CellClass), strict=True))
    period = scope(reader)
    world.signed(reader, ago=days(1), took=5, cells=cells[:1])

    with django_assert_num_queries(expected):
        count(period)
    for ago in (2, 8):
        world.signed(reader, ago=days(ago), took=5, cells=cells, urgent=ago == 8)
    with django_assert_num_queries(expected):
        count(period)
