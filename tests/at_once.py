"""Several people at once: each call in a thread of its own, all let go together."""

from collections.abc import Callable, Sequence
from threading import Barrier, Thread

from django.db import connection


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
