"""The app's name."""

from django.apps import AppConfig


class ReportsConfig(AppConfig):
    name = "reports"
