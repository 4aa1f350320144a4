"""Settings, URLs, Celery and embedded services: imports everyone, imported by no one."""
