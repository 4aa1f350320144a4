"""Real processes for tests: a Celery worker and its clock, which can be killed in the middle."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import redis
from django.db import connection

from config import leash
from tests import settings

ROOT = Path(__file__).parent.parent
READY_WITHIN = 60.0
STOPPED_WITHIN = 20.0


def database_url():
    """The address of the *test* database, for a process of its own."""
    parts = urlsplit(os.environ["DATABASE_URL"])
    return parts._replace(path=f"/{connection.settings_dict['NAME']}").geturl()


def environment(**changes):
    """The environment of a process that works on the test database, with changes in names."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DATABASE_URL": database_url(),
        "LOG_LEVEL": "INFO",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT),
        **changes,
    }


class Worker:
    """A Celery worker with prefork processes, and beat beside it where asked for.

    ``changes`` are environment variables, such as ``RECOVER_EVERY="1"``. Start it from the main
    thread: the kernel ends it with the thread that started it.
    """

    def __init__(self, folder, *, concurrency=1, beat=False, **changes):
        self.folder = Path(folder)
        self.log = self.folder / "worker.log"
        self.beat_log = self.folder / "beat.log"
        self.concurrency = concurrency
        self.beat = beat
        self.changes = changes
        self._processes = []

    def start(self):
        """Start and wait until the worker listens to the broker."""
        began = self.log.stat().st_size if self.log.exists() else 0
        options = ["--pool=prefork", f"--concurrency={self.concurrency}", "--loglevel=INFO"]
        quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        name = f"--hostname=worker-{os.getpid()}-{time.monotonic_ns()}@%h"
        self._celery(["worker", *options, *quiet, name], self.log)
        if self.beat:
            schedule = f"--schedule={self.folder / 'beat-schedule'}"
            self._celery(["beat", schedule, "--pidfile=", "--loglevel=INFO"], self.beat_log)
        self._wait_until_ready(began)
        return self

    def stop(self):
        """End in order: the task at hand is finished first."""
        self._end(signal.SIGTERM)

    def kill(self):
        """SIGKILL the worker with its processes (and beat), as a lost machine would."""
        self._end(signal.SIGKILL)

    @property
    def is_running(self):
        return bool(self._processes) and all(p.poll() is None for p in self._processes)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def _celery(self, arguments, log):
        command = [sys.executable, "-m", "celery", "-A", "config", *arguments]
        process = leash.start(
            command,
            on_parent_death=signal.SIGQUIT,
            log=log,
            folder=ROOT,
            environment=environment(**self.changes),
        )
        self._processes.append(process)

    def _wait_until_ready(self, began):
        deadline = time.monotonic() + READY_WITHIN
        while True:
            said = self.log.read_bytes()[began:].decode(errors="replace")
            if " ready." in said:
                return
            if not self.is_running or time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"the worker did not become ready; it said:\n{said[-4000:]}")
            time.sleep(0.05)

    def _end(self, number):
        for process in self._processes:
            if number == signal.SIGKILL:
                leash.kill_group(process)
            else:
                process.send_signal(number)
        for process in self._processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(STOPPED_WITHIN)
            leash.kill_group(process)
            process.wait()
        self._processes = []


def forget_messages():
    """Empty the broker, as a flush by hand or a lost disk would; only the embedded one."""
    if os.environ["REDIS_URL"] != settings.SERVICES.valkey.url:
        raise AssertionError("this broker is not ours to empty")
    with redis.Redis.from_url(settings.SERVICES.valkey.url) as client:
        client.flushall()
