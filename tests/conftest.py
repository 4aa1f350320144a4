"""What every test can ask for: servers, a worker, a browser. Nothing starts before it is asked for.

``DATABASE_URL`` and ``REDIS_URL`` name other servers than the embedded ones. Everything started
here ends with this process, also when it is killed.
"""

import os
import shutil
import tempfile
import time
from pathlib import Path

import pytest

from config import embedded
from tests import processes, settings

ABANDONED_AFTER = 6 * 60 * 60  # seconds; no test session takes so long
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def pytest_unconfigure():
    """Stop the servers and forget the files of this session, and of sessions killed long ago."""
    settings.SERVICES.valkey.stop()
    settings.SERVICES.postgres.stop()
    mine = {settings.SESSION, embedded.place(settings.SESSION), settings.SERVICES.postgres.sockets}
    for folder in mine:
        shutil.rmtree(folder, ignore_errors=True)
    for folder in Path(tempfile.gettempdir()).glob("cytodesk-tests-*"):
        if folder.stat().st_mtime < time.time() - ABANDONED_AFTER:
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def services():
    """PostgreSQL and Valkey, embedded unless the environment names others."""
    if os.environ["DATABASE_URL"] == settings.SERVICES.postgres.url:
        settings.SERVICES.postgres.start()
    if os.environ["REDIS_URL"] == settings.SERVICES.valkey.url:
        settings.SERVICES.valkey.start()
    return settings.SERVICES


@pytest.fixture(scope="session")
def django_db_modify_db_settings(services):
    """Start the servers just before the first test database is made."""


@pytest.fixture
def worker(transactional_db, tmp_path):
    """A real Celery worker on the test database, started; it reads what tests commit."""
    with processes.Worker(tmp_path) as running:
        yield running


@pytest.fixture(scope="session")
def chromium():
    """The path of a Chromium; a test that needs one is skipped where there is none."""
    named = os.environ.get("CHROMIUM")
    candidates = [named] if named else CHROMIUM_NAMES
    for candidate in candidates:
        if path := shutil.which(candidate):
            return path
    pytest.skip(f"no Chromium here: none of {', '.join(candidates)} can be run (set CHROMIUM)")


@pytest.fixture(scope="module")
def browser(chromium):
    """A headless Chromium for the tests of one module."""
    # Imported here, so that the tests without a browser run where Playwright is not installed.
    from playwright.sync_api import sync_playwright

    # Playwright's synchronous interface runs an event loop in this thread, and Django refuses the
    # database to a thread with one, although nothing here is asynchronous.
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        browser = playwright.chromium.launch(executable_path=chromium)
        yield browser
        browser.close()


@pytest.fixture
def page(browser, transactional_db):
    """An empty page of its own, without anyone's cookies.

    It is closed before the database is emptied: what a page saves behind would come too late.
    """
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield context.new_page()
    context.close()


@pytest.fixture(scope="session", autouse=True)
def empty_append_only_tables_between_tests():
    """Let the flush after a transactional test empty what the database keeps from being emptied.

    The triggers are off for the flush alone: while a test runs they bite as they do elsewhere. A
    request that a closed page left behind may still hold a table: the flush lets it end first.
    """
    from django.db import OperationalError
    from django.db.backends.postgresql.operations import DatabaseOperations

    flush = DatabaseOperations.execute_sql_flush

    def flush_without_triggers(operations, sql_list):
        tables = ["accounts_accountevent", "accounts_chainhead", "cases_auditevent", "cases_report"]
        switched = {
            state: [f"ALTER TABLE {table} {state} TRIGGER USER" for table in tables]
            for state in ("DISABLE", "ENABLE")
        }
        whole = [*switched["DISABLE"], *sql_list, *switched["ENABLE"]]
        for _ in range(5):
            try:
                return flush(operations, whole)
            except OperationalError as error:
                if "deadlock detected" not in str(error):
                    raise
                time.sleep(0.5)
        return flush(operations, whole)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatabaseOperations, "execute_sql_flush", flush_without_triggers)
        yield
