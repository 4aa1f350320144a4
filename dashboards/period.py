"""The periods that a dashboard can be asked for, and where each begins."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db.models import TextChoices


class Period(TextChoices):
    """The last so many days, today included; the value is what the address says."""

    WEEK = "7", "7 days"
    MONTH = "30", "30 days"
    QUARTER = "90", "90 days"
    YEAR = "year", "A year"
    ALL = "all", "All time"

    @classmethod
    def asked_for(cls, value: str | None) -> "Period":
        """The period of this value; 30 days where there is none such."""
        return cls(value) if value in cls.values else cls.MONTH


_DAYS = {Period.WEEK: 7, Period.MONTH: 30, Period.QUARTER: 90, Period.YEAR: 365}


def beginning(period: Period, now: datetime, zone: ZoneInfo) -> datetime | None:
    """The midnight, in this zone, at which the period's first day began; None for all time."""
    if period == Period.ALL:
        return None
    first_day = now.astimezone(zone).date() - timedelta(days=_DAYS[period] - 1)
    return datetime.combine(first_day, time.min, tzinfo=zone)
