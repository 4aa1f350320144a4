"""Several people at once: each call in a thread of its own, all let go together."""

from collections.abc import Callable, Sequence
from threading import Barrier, Thread

import pytest
from django.db import connection, transaction


def at_once(
    calls: Sequence[Callable[[], object]], refusals: tuple[type[Exception], ...] = ()
) -> list[str]:
    """How each call ended, in any order: "done", or the name of the refusal."""
    ready = Barrier(len(calls))
    outcomes = []

    def run(call):
        ready.wait()
        try:
            call()
            outcomes.append("done")
        except refusals as error:
            outcomes.append(type(error).__name__)
        finally:
            connection.close()

    threads = [Thread(target=run, args=[call]) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def while_it_waits(
    call: Callable[[], object], hold: Callable[[], object], do: Callable[[], object]
):
    """What a call in a thread of its own came to, let go in the middle of a transaction.

    ``hold`` takes the lock that the call will wait for, ``do`` is what happens before it gets it.
    """
    came_to = []

    def run():
        try:
            came_to.append(call())
        except Exception as error:  # noqa: BLE001 -- for the test that asked, which looks at it
            came_to.append(error)
        finally:
            connection.close()

    thread = Thread(target=run)
    with transaction.atomic():
        hold()
        thread.start()
        _until_somebody_waits()
        do()
    thread.join()
    [outcome] = came_to
    return outcome


def _until_somebody_waits() -> None:
    with connection.cursor() as cursor:
        for _ in range(100):
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone() != (0,):
                return
            cursor.execute("SELECT pg_sleep(0.1)")
    pytest.fail("nobody waits for a lock")
