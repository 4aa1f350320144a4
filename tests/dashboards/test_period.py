"""Where a period begins."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from dashboards.period import Period, beginning

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("period", "first_day"),
    [
        (Period.WEEK, (2026, 6, 9)),
        (Period.MONTH, (2026, 5, 17)),
        (Period.QUARTER, (2026, 3, 18)),
        (Period.YEAR, (2025, 6, 16)),
    ],
)
def test_a_period_counts_whole_days_with_today_as_the_last(period, first_day):
    noon = datetime(2026, 6, 15, 12, tzinfo=UTC)

    assert beginning(period, noon, BERLIN) == datetime(*first_day, tzinfo=BERLIN)


def test_today_is_the_day_in_the_laboratory_not_in_greenwich():
    late = datetime(2026, 6, 15, 22, 30, tzinfo=UTC)  # half past midnight on the 16th in Berlin

    assert beginning(Period.WEEK, late, BERLIN) == datetime(2026, 6, 9, 22, tzinfo=UTC)


def test_a_period_over_the_change_of_clocks_begins_at_midnight_all_the_same():
    after = datetime(2026, 3, 30, 12, tzinfo=UTC)  # summer time began on 29 March

    assert beginning(Period.WEEK, after, BERLIN) == datetime(2026, 3, 23, 23, tzinfo=UTC)


def test_all_time_has_no_beginning():
    assert beginning(Period.ALL, datetime(2026, 6, 15, tzinfo=UTC), BERLIN) is None


@pytest.mark.parametrize("value", [None, "", "31", "-7", "ALL", "week"])
def test_an_unknown_period_is_thirty_days(value):
    assert Period.asked_for(value) == Period.MONTH


@pytest.mark.parametrize("period", Period)
def test_each_period_is_asked_for_by_its_value(period):
    assert Period.asked_for(period.value) == period
