"""The Celery application: workers and the clock."""

import os

from celery import Celery
from celery.schedules import crontab
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("cytodesk")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.conf.beat_schedule = {
    "recover": {"task": "cases.recover", "schedule": settings.RECOVER_EVERY},
    "sweep": {"task": "cases.sweep", "schedule": crontab(hour="3", minute="17")},
    "check": {"task": "cases.check_all_records", "schedule": crontab(hour="2", minute="17")},
    "forget": {"task": "accounts.forget", "schedule": crontab(hour="3", minute="47")},
}
