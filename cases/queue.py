"""The one place that speaks to the broker; the row is the queue, a message only a wake-up call."""

import logging
from functools import partial

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

from accounts.models import Laboratory
from cases.models import Run

CLASSIFY_RUN = "cases.classify_run"
CHECK_RECORDS = "cases.check_records"

logger = logging.getLogger(__name__)


def enqueue(run: Run) -> None:
    """Wake a worker for this run once the rows it will read are committed."""
    transaction.on_commit(partial(_wake, str(run.pk)))


def check_records(laboratory: Laboratory) -> bool:
    """Ask a worker to check what a laboratory keeps; whether the broker took the message."""
    try:
        current_app.send_task(CHECK_RECORDS, args=[laboratory.pk], retry=False)
    except OperationalError as error:
        logger.warning("No worker was asked to check the records: %s", error)
        return False
    return True


def _wake(run_id: str) -> None:
    """Send the id; a broker that is away costs a minute, not the request: `recover` asks again."""
    try:
        current_app.send_task(CLASSIFY_RUN, args=[run_id], retry=False)
    except OperationalError as error:
        logger.warning("No worker was called for run %s: %s", run_id, error)
