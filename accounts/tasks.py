"""What the clock calls: forget what nobody needs any more of who came and went."""

from celery import shared_task
from django.core.management import call_command

LOG_INS_KEPT = 90  # days; addresses of people's machines are among what is kept


@shared_task(name="accounts.forget")
def forget() -> None:
    """Remove ended sessions, and log-ins and failures of long ago, every night."""
    call_command("clearsessions")
    call_command("axes_reset_logs", age=LOG_INS_KEPT)
    call_command("axes_reset_failure_logs", age=LOG_INS_KEPT)
