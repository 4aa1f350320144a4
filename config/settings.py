"""All settings on one page; what differs between machines is read from the environment."""

from pathlib import Path

import dj_database_url
from csp.constants import NONE, SELF

from config import env

BASE_DIR = Path(__file__).resolve().parent.parent
STATE_DIR = Path(env.text("STATE_DIR", str(BASE_DIR / ".state")))

# ── What must differ between machines ────────────────────────────────────────────────────────────

DEBUG = env.flag("DEBUG", default=False)
# Empty only where nothing is signed or encrypted (`classify`, `train`, `check`): Django refuses to
# sign with an empty key, and `accounts.encryption` to encrypt without one.
SECRET_KEY = env.text("SECRET_KEY", "")
PATIENT_KEYS = env.listed("PATIENT_KEYS", [])
ALLOWED_HOSTS = env.listed("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.listed("CSRF_TRUSTED_ORIGINS", [])
HTTPS = env.flag("HTTPS", default=False)
DATABASE_URL = env.text("DATABASE_URL", "postgresql://localhost/cytodesk")
REDIS_URL = env.text("REDIS_URL", "redis://localhost:6379/0")
LOG_LEVEL = env.text("LOG_LEVEL", "INFO")

# ── The application ──────────────────────────────────────────────────────────────────────────────

INSTALLED_APPS = [
    "config",
    "accounts",
    "inference",
    "cases",
    "education",
    "dashboards",
    "reports",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "axes",
    "csp",
    "django_filters",
    "django_htmx",
    "drf_spectacular",
    "rest_framework",
    "template_partials",
]
MIDDLEWARE = [
    "config.middleware.disclaimer",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "accounts.middleware.idle_logoff",
    "accounts.middleware.second_factor_first",
    "accounts.middleware.laboratory_time_zone",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

# ── PostgreSQL and the broker ────────────────────────────────────────────────────────────────────

DATABASES = {"default": dj_database_url.parse(DATABASE_URL, conn_health_checks=True)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
}

# Celery has its own spelling of a Unix socket's address.
CELERY_BROKER_URL = REDIS_URL.replace("unix:", "redis+socket:").replace("?db=", "?virtual_host=")
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_IGNORE_RESULT = True  # a result is a row
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_PROC_ALIVE_TIMEOUT = 60.0  # a process loads the model before it says that it is up
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_TASK_TIME_LIMIT = 30 * 60  # a hung worker; a vanished one is noticed by its heartbeat
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE_FILENAME = str(STATE_DIR / "celerybeat-schedule")
RECOVER_EVERY = env.number("RECOVER_EVERY", 60)  # seconds
STALLED_AFTER = env.number("STALLED_AFTER", 120)  # seconds without a heartbeat
CLAIM_EXPIRES_AFTER = env.number("CLAIM_EXPIRES_AFTER", 30 * 60)  # seconds of an idle holder

# ── Who may act ──────────────────────────────────────────────────────────────────────────────────

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
    "accounts.backends.SecondFactorBackend",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("name", "email")},
    },
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "worklist"
LOGOUT_REDIRECT_URL = "login"
PASSWORD_RESET_TIMEOUT = 24 * 60 * 60  # one day, in seconds
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = 0.25  # hours
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # or anyone could lock a person out for good
AXES_LOCKOUT_PARAMETERS = ["username"]
AXES_RESET_ON_SUCCESS = True
AXES_USERNAME_FORM_FIELD = "username"
AXES_LOCKOUT_TEMPLATE = "accounts/locked_out.html"
AXES_ENABLE_ACCESS_FAILURE_LOG = True
AXES_VERBOSE = False
AXES_ENABLE_ADMIN = False

SESSION_COOKIE_AGE = 12 * 60 * 60  # a shift; the laboratory's idle time ends most sessions earlier
SESSION_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SECURE = HTTPS
SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 365 * 24 * 60 * 60 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:", "blob:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

# ── Uploads ──────────────────────────────────────────────────────────────────────────────────────

IMAGE_MAX_BYTES = env.number("IMAGE_MAX_BYTES", 32 * 1024 * 1024)
IMAGE_MAX_PIXELS = env.number("IMAGE_MAX_PIXELS", 40_000_000)
ARCHIVE_MAX_FILES = env.number("ARCHIVE_MAX_FILES", 2000)
ARCHIVE_MAX_BYTES = env.number("ARCHIVE_MAX_BYTES", 1024 * 1024 * 1024)
MEDIA_ROOT = Path(env.text("MEDIA_ROOT", str(STATE_DIR / "media")))
MODEL_DIR = Path(env.text("MODEL_DIR", str(STATE_DIR / "models")))  # beside the shipped one
FILE_UPLOAD_PERMISSIONS = 0o640
FILE_UPLOAD_HANDLERS = [
    "config.arrival.BoundedUpload",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]
DATA_UPLOAD_MAX_NUMBER_FILES = ARCHIVE_MAX_FILES
DATA_UPLOAD_MAX_NUMBER_FIELDS = 10_000

DEMO_IMAGES = env.text("DEMO_IMAGES", "")  # a folder; empty: the demonstration draws its cells

# ── Pages ────────────────────────────────────────────────────────────────────────────────────────

LANGUAGE_CODE = "en-gb"
USE_I18N = False
USE_TZ = True
TIME_ZONE = "UTC"
NODE_MODULES = BASE_DIR / "node_modules"
STATIC_URL = "static/"
STATIC_ROOT = STATE_DIR / "static"
STATICFILES_DIRS = [
    BASE_DIR / "static",
    ("vendor/plotly", NODE_MODULES / "plotly.js-strict-dist-min"),
    ("vendor/openseadragon", NODE_MODULES / "openseadragon" / "build" / "openseadragon"),
    ("vendor/fflate", NODE_MODULES / "fflate" / "esm"),
]
SILENCED_SYSTEM_CHECKS = [
    "axes.W006",  # a laboratory shares one address: to count failures by it would lock everyone out
    "staticfiles.W004",  # a checkout without node_modules can still train, classify and migrate
]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

# ── API ──────────────────────────────────────────────────────────────────────────────────────────

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.tokens.ApiTokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_METADATA_CLASS": None,  # the schema describes everything
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "EXCEPTION_HANDLER": "cases.api.errors.answer",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "CytoDesk",
    "DESCRIPTION": "Cases, cell images, predictions and findings of one laboratory. "
    "Research and education only, not for diagnosis.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,  # a file is sent as bytes
    "ENUM_NAME_OVERRIDES": {
        "CaseStatus": "cases.models.Case.Status",
        "CellClass": "cases.models.CELL_CLASSES",
        "HistologyResult": "cases.correlation.HistologyResult",
        "LookBackResult": "cases.models.Task.Result",
        "ReadKind": "cases.models.Review.Kind",
        "ReportKind": "cases.models.Report.Kind",
        "RunStatus": "cases.models.Run.Status",
    },
}

# ── Mail and logs ────────────────────────────────────────────────────────────────────────────────

EMAIL_BACKEND, EMAIL_FILE_PATH = (
    "django.core.mail.backends.filebased.EmailBackend",
    str(STATE_DIR / "mail"),
)
if EMAIL_HOST := env.text("EMAIL_HOST", ""):
    EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    EMAIL_PORT = env.number("EMAIL_PORT", 587)
    EMAIL_HOST_USER = env.text("EMAIL_HOST_USER", "")
    EMAIL_HOST_PASSWORD = env.text("EMAIL_HOST_PASSWORD", "")
    EMAIL_USE_TLS = env.flag("EMAIL_USE_TLS", default=True)
DEFAULT_FROM_EMAIL = env.text("EMAIL_FROM", "cytodesk@localhost")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
}
