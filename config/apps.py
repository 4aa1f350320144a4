"""The project itself as an application: what must be ready in every process."""

from importlib import import_module

from django.apps import AppConfig


class ProjectConfig(AppConfig):
    name = "config"

    def ready(self) -> None:
        # Web server and commands send tasks too, and without this they would send them to Celery's
        # own default broker. Not at the top: the Celery application reads the settings.
        import_module("config.celery")
