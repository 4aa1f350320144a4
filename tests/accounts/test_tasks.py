"""What the clock forgets: ended sessions, and log-ins and failures of long ago."""

from datetime import timedelta

import pytest
from axes.models import AccessFailureLog, AccessLog
from django.contrib.sessions.models import Session
from django.utils import timezone

from accounts import tasks
from config.celery import app

pytestmark = pytest.mark.django_db


def test_the_clock_forgets_what_has_ended_and_keeps_the_rest():
    now = timezone.now()
    for days in (0, tasks.LOG_INS_KEPT + 1):
        Session.objects.create(
            session_key=f"k{days}", session_data="", expire_date=now + timedelta(hours=1 - days)
        )
        for kept in (AccessLog, AccessFailureLog):
            entry = kept.objects.create(username=f"{days} days ago", path_info="/login/")
            kept.objects.filter(pk=entry.pk).update(attempt_time=now - timedelta(days=days))

    tasks.forget()

    assert [session.session_key for session in Session.objects.all()] == ["k0"]
    assert [entry.username for entry in AccessLog.objects.all()] == ["0 days ago"]
    assert [entry.username for entry in AccessFailureLog.objects.all()] == ["0 days ago"]


def test_every_task_of_the_clock_is_there():
    app.loader.import_default_modules()

    assert {entry["task"] for entry in app.conf.beat_schedule.values()} <= set(app.tasks)
