"""The settings under test: those of the project, on servers of this test session alone.

Nothing is started here: type checkers import this module too. ``tests/conftest.py`` starts the
servers when the first test asks for the database.
"""

import base64
import os
import secrets
import tempfile
from pathlib import Path

from config import embedded

SESSION = Path(tempfile.gettempdir()) / f"cytodesk-tests-{os.getpid()}-{secrets.token_hex(4)}"
SERVICES = embedded.at(embedded.place(SESSION), durable=False)

for name in ("SECRET_KEY", "PATIENT_KEYS", "EMAIL_HOST", "CSRF_TRUSTED_ORIGINS"):
    os.environ.pop(f"{name}_FILE", None)
os.environ |= {
    "DEBUG": "False",
    "HTTPS": "False",
    "STATE_DIR": str(SESSION),
    "MEDIA_ROOT": str(SESSION / "media"),
    "ALLOWED_HOSTS": "localhost,127.0.0.1,testserver",
    "CSRF_TRUSTED_ORIGINS": "",
    "SECRET_KEY": secrets.token_urlsafe(50),
    "PATIENT_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
    "EMAIL_HOST": "",
    "LOG_LEVEL": "WARNING",
}
os.environ.setdefault("DATABASE_URL", SERVICES.postgres.url)
os.environ.setdefault("REDIS_URL", SERVICES.valkey.url)

from config.settings import *  # noqa: E402, F403, TID251 -- these settings read what was set above

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # made for speed, not safety
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    # No manifest: a page can be tested before `collectstatic` has run.
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
# Files are looked for when they are asked for; there is no collected folder to read at the start.
WHITENOISE_AUTOREFRESH = True
WHITENOISE_USE_FINDERS = True
