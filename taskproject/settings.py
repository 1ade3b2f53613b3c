"""Settings, read from the environment and from `.env`.

`.env.example` lists them with their defaults. An invalid value stops the start with a sentence.
Importing this module starts nothing and touches no file but `.env` and the generated secret.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from taskproject import api_settings, installed, version
from taskproject.address_settings import (
    allowed_hosts,
    check_open,
    http_url,
    is_loopback,
    listening_address,
    trusted_origins,
)
from taskproject.cache_url import cache_from_url
from taskproject.database_url import POOLER, database_from_url
from taskproject.email_url import email_from_url, email_sender
from taskproject.embedded import EmbeddedPostgres
from taskproject.environment import (
    Environment,
    boolean,
    choice,
    directory,
    file,
    number,
    seconds,
    seconds_range,
    word,
)
from taskproject.extra_apps import apps
from taskproject.libpq_variables import remove_libpq_variables
from taskproject.logging import LEVELS, logging_config
from taskproject.misspelt import CONTAINERS
from taskproject.secret_settings import api_key, secret_key, signing_secrets, webhook_secret
from tasks.console.theme import UNFOLD as CONSOLE_THEME
from tasks.pages.policy import CONTENT_SECURITY_POLICY as PAGES_POLICY

VERSION = version.VERSION

BASE_DIR = Path(__file__).resolve().parent.parent

env = Environment.completed_by(BASE_DIR / ".env")

DEBUG = boolean(env, "DEBUG", default=False)
DATA_DIR = directory(env, "DATA_DIR", BASE_DIR / ".data")
SECRET_KEY = secret_key(env, DATA_DIR)
ALLOWED_HOSTS = allowed_hosts(env, "ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = trusted_origins(env, "CSRF_TRUSTED_ORIGINS")
CSRF_FAILURE_VIEW = "tasks.pages.errors.form_refused"
HOST = listening_address(env, "HOST", "127.0.0.1")
PORT = number(env, "PORT", 8000, bounds=(1, 65535))
# Who has it may read /metrics; empty: no token does.
METRICS_TOKEN = api_key(env, "METRICS_TOKEN")
# How long a request may take to arrive: its headers, and then its body.
REQUEST_TIMEOUT = seconds(env, "REQUEST_TIMEOUT", "20s", low=1)

# Whether the site is reached through HTTPS, by a proxy that sets X-Forwarded-Proto.
HTTPS = boolean(env, "HTTPS", default=False)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_SSL_REDIRECT = HTTPS
# Health probes and scrapers call the port itself, without HTTPS and without the site's name.
SECURE_REDIRECT_EXEMPT = [r"^health(/|$)", r"^metrics/?$"]
SECURE_HSTS_SECONDS = 365 * 86_400 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
# Whether it is in the browsers' preload list is a decision of the domain's owner.
SILENCED_SYSTEM_CHECKS = ["security.W021"]

# Who needs no key: everybody if the operator says so. If nothing is said, direct requests of this
# machine, as long as no setting shows that the site is for others too.
API_ALLOW_ANONYMOUS = boolean(env, "API_ALLOW_ANONYMOUS", default=False)
API_OPEN_TO_THIS_MACHINE = (
    not any(
        env.given(name, type)[0]
        for name, type in (
            ("API_ALLOW_ANONYMOUS", "boolean"),
            ("SECRET_KEY", "secret_key"),
            ("DATABASE_URL", "database_from_url"),
        )
    )
    and all(is_loopback(name) for name in (HOST, *ALLOWED_HOSTS))
    and not (HTTPS or CSRF_TRUSTED_ORIGINS)
)
check_open(HOST, debug=DEBUG, anonymous=API_ALLOW_ANONYMOUS)
# A debug page shows the settings.
DEFAULT_EXCEPTION_REPORTER_FILTER = "taskproject.debug_page.Filter"

# Apps of the user's own, each found by its `kinds.py`: EXTRA_APPS=yourapp,other
EXTRA_APPS = apps(env, "EXTRA_APPS", installed=installed.APPS)
INSTALLED_APPS = [*installed.APPS, *EXTRA_APPS]
MIDDLEWARE = installed.MIDDLEWARE

ROOT_URLCONF = "taskproject.urls"
WSGI_APPLICATION = "taskproject.wsgi.application"
# Every API route answers with and without a trailing slash, so nothing is redirected.
APPEND_SLASH = False

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        # Django looks in an app's own folder only; each kind has its templates in its folder.
        "DIRS": [BASE_DIR / "templates", *sorted(BASE_DIR.glob("analysis/*/templates"))],
        "APP_DIRS": True,
        "OPTIONS": {
            "libraries": {"conversations": "analysis.conversations.template_tags"},
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# PostgreSQL: the embedded server under DATA_DIR, unless a URL names another. The URL itself is not
# a setting: it holds the password.
database = database_from_url(env, "DATABASE_URL")
EMBEDDED: EmbeddedPostgres | None = None if database else EmbeddedPostgres(DATA_DIR)
remove_libpq_variables(embedded=EMBEDDED is not None)
DATABASES: dict[str, dict[str, Any]] = {
    "default": {
        "ENGINE": "tasks.postgres",
        **(EMBEDDED.connection_settings() if EMBEDDED else database),
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
    }
}
# The same database without the pooler, which passes on no notifications; empty for none.
DIRECT_DATABASE = database_from_url(env, "DATABASE_DIRECT_URL")
if DIRECT_DATABASE and not database.get(POOLER):
    raise ImproperlyConfigured(
        "DATABASE_DIRECT_URL is set, but DATABASE_URL has no pooler"
        f" (?{POOLER}=true): it leads to the database itself."
    )
# A network that drops packets is noticed in seconds, by this side and by the server, not after the
# kernel's fifteen minutes and two hours.
for each in filter(None, (DATABASES["default"], DIRECT_DATABASE)):
    each["OPTIONS"] = {
        "connect_timeout": 3,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": 10_000,
        **each.get("OPTIONS", {}),
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# `tasks.worker.stock_loop` registers our job manager; procrastinate tasks are not autodiscovered.
PROCRASTINATE_AUTODISCOVER_MODULE_NAME = "jobs"
PROCRASTINATE_ON_APP_READY = "tasks.worker.stock_loop.register"

# Workers. Celery's names in the documents are accepted too.
CORES = os.cpu_count() or 1
# The options of `manage.py worker` have the same bounds.
WORKER_PROCESSES_BOUNDS = (1, 256)
WORKER_CONCURRENCY_BOUNDS = (1, 1000)
WORKER_PROCESSES = number(
    env, "WORKER_PROCESSES", min(CORES, WORKER_PROCESSES_BOUNDS[1]), bounds=WORKER_PROCESSES_BOUNDS
)
WORKER_CONCURRENCY = number(
    env,
    "WORKER_CONCURRENCY",
    8,
    bounds=WORKER_CONCURRENCY_BOUNDS,
    also="CELERY_WORKER_CONCURRENCY",
)
WORKER_PREFETCH_MULTIPLIER = number(env, "WORKER_PREFETCH_MULTIPLIER", 1, bounds=(1, 100))
# Where `manage.py worker` answers whether the workers of its machine are alive; 0 for nowhere.
WORKER_HEALTH_PORT = number(env, "WORKER_HEALTH_PORT", 0, bounds=(0, 65535))
if WORKER_HEALTH_PORT == PORT:
    raise ImproperlyConfigured(
        f"WORKER_HEALTH_PORT={WORKER_HEALTH_PORT} is the PORT of the site: use another."
    )
WORKER_STOP_GRACE_PERIOD = seconds(env, "WORKER_STOP_GRACE_PERIOD", "30s", low=1)
# A process that ran so many tasks, or grew so large (KiB), is replaced; 0 for never.
WORKER_MAX_TASKS_PER_CHILD = number(env, "WORKER_MAX_TASKS_PER_CHILD", 0, bounds=(0, 10**9))
WORKER_MAX_MEMORY_PER_CHILD = number(env, "WORKER_MAX_MEMORY_PER_CHILD", 0, bounds=(0, 10**9))
TASK_SOFT_TIME_LIMIT = seconds(
    env, "TASK_SOFT_TIME_LIMIT", "600", low=1, also="CELERY_TASK_SOFT_TIME_LIMIT"
)
TASK_TIME_LIMIT = seconds(env, "TASK_TIME_LIMIT", "900", low=1, also="CELERY_TASK_TIME_LIMIT")
if TASK_SOFT_TIME_LIMIT > TASK_TIME_LIMIT:
    raise ImproperlyConfigured(
        f"TASK_SOFT_TIME_LIMIT ({TASK_SOFT_TIME_LIMIT:g} s) must not be longer than "
        f"TASK_TIME_LIMIT ({TASK_TIME_LIMIT:g} s)."
    )
TASK_MAX_RETRIES = number(env, "TASK_MAX_RETRIES", 3, bounds=(0, 1000))
TASK_RETRY_DELAY = seconds(env, "TASK_RETRY_DELAY", "1", low=0.001)
# Bytes of JSON; PostgreSQL cannot hold more than 256 MiB in one document.
RESULT_MAX_BYTES = number(env, "RESULT_MAX_BYTES", 16 * 2**20, bounds=(1_000, 200 * 2**20))
# Ended tasks are deleted after so many days; 0 for never.
RETENTION_COMPLETED_DAYS = number(env, "RETENTION_COMPLETED_DAYS", 30, bounds=(0, 36500))
RETENTION_FAILED_DAYS = number(env, "RETENTION_FAILED_DAYS", 90, bounds=(0, 36500))

# How long a worker may be silent before its tasks go to other workers; seconds.
LEASE_SECONDS = 15.0
HEARTBEAT_SECONDS = 5.0
RESCUE_SECONDS = 5.0
POLL_SECONDS = 1.0
# How long due tasks may wait without a worker before health reports it: longer than a restart.
HEALTH_TOLERANCE_SECONDS = 60.0

# The provider of language models; without a key embedded methods are used.
OPENROUTER_API_KEY = api_key(env, "OPENROUTER_API_KEY")
OPENROUTER_BASE_URL = http_url(env, "OPENROUTER_BASE_URL", "https://openrouter.ai/api/v1")
OPENROUTER_MODEL = word(env, "OPENROUTER_MODEL", "meta-llama/llama-3.2-90b-text-preview")
OPENROUTER_TIMEOUT = seconds(env, "OPENROUTER_TIMEOUT", "120", low=1)

# So many failures in a row open a circuit; after so many seconds one call tries the service.
CIRCUIT_BREAKER_FAILURE_THRESHOLD = number(
    env, "CIRCUIT_BREAKER_FAILURE_THRESHOLD", 5, bounds=(1, 1000)
)
CIRCUIT_BREAKER_RECOVERY_TIMEOUT = seconds(env, "CIRCUIT_BREAKER_RECOVERY_TIMEOUT", "60", low=0.1)

# The cache of answers; a migration creates its table.
CACHES = {"default": cache_from_url(env, "CACHE_URL", "dbcache://tasks_cache?max_entries=10000")}

# Callbacks are signed with secrets derived from these, and go only to public addresses unless
# private ones are allowed.
CALLBACK_SECRETS = signing_secrets(env, "CALLBACK_SECRET") or [SECRET_KEY]
CALLBACK_ALLOW_PRIVATE = boolean(env, "CALLBACK_ALLOW_PRIVATE", default=False)

# The mail server for messages about alerts; without one, rules have no e-mail addresses.
email = email_from_url(env, "EMAIL_URL")
EMAIL_HOST, EMAIL_PORT = email["EMAIL_HOST"], email["EMAIL_PORT"]
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = email["EMAIL_HOST_USER"], email["EMAIL_HOST_PASSWORD"]
EMAIL_USE_TLS, EMAIL_USE_SSL = email["EMAIL_USE_TLS"], email["EMAIL_USE_SSL"]
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = email_sender(env, "EMAIL_FROM", "tasks@localhost")

# The platforms on which conversations are held. Requests of one that is not set up are refused.
FACEBOOK_APP_SECRET = api_key(env, "FACEBOOK_APP_SECRET")
FACEBOOK_VERIFY_TOKEN = api_key(env, "FACEBOOK_VERIFY_TOKEN")
FACEBOOK_PAGE_ACCESS_TOKEN = api_key(env, "FACEBOOK_PAGE_ACCESS_TOKEN")
FACEBOOK_GRAPH_URL = http_url(env, "FACEBOOK_GRAPH_URL", "https://graph.facebook.com/v24.0")
GOOGLE_CLIENT_TOKEN = api_key(env, "GOOGLE_CLIENT_TOKEN")
GOOGLE_SERVICE_ACCOUNT_FILE = file(env, "GOOGLE_SERVICE_ACCOUNT_FILE")
GOOGLE_RCS_URL = http_url(env, "GOOGLE_RCS_URL", "https://rcsbusinessmessaging.googleapis.com")
GENERIC_WEBHOOK_SECRET = webhook_secret(env, "GENERIC_WEBHOOK_SECRET")
GENERIC_RESPONSE_URL = http_url(env, "GENERIC_RESPONSE_URL", "")
# How long a synchronous request waits for its reply.
CONVERSATION_SYNC_SECONDS = seconds(env, "CONVERSATION_SYNC_SECONDS", "30", low=0)

# The documented pause of the text analysis: "0" or "5-10". The rest of the kind's 120 s is for the
# analysis.
ANALYSIS_SIMULATED_DELAY = seconds_range(env, "ANALYSIS_SIMULATED_DELAY", "0", high=100)

LOG_LEVEL = choice(env, "LOG_LEVEL", "INFO", choices=LEVELS)
LOG_JSON = boolean(env, "LOG_JSON", default=not sys.stderr.isatty())
# 0 for no warning.
SLOW_STATEMENT = seconds(env, "SLOW_STATEMENT", "1s", low=0)
SLOW_TASK = seconds(env, "SLOW_TASK", "0", low=0)
ACCESS_LOG = boolean(env, "ACCESS_LOG", default=False)
LOGGING = logging_config(level=LOG_LEVEL, json=LOG_JSON)

# Spans of tasks are sent where OpenTelemetry's own variables name a collector; its SDK reads these
# and its other variables by itself.
OTEL_EXPORTER_OTLP_ENDPOINT = http_url(env, "OTEL_EXPORTER_OTLP_ENDPOINT", "")
OTEL_EXPORTER_OTLP_TRACES_ENDPOINT = http_url(env, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "")
OTEL_SDK_DISABLED = boolean(env, "OTEL_SDK_DISABLED", default=False)
TRACING = not OTEL_SDK_DISABLED and bool(
    OTEL_EXPORTER_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_TRACES_ENDPOINT
)

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
# Those of the kinds, as with the templates.
STATICFILES_DIRS = sorted(BASE_DIR.glob("analysis/*/static"))
WHITENOISE_USE_FINDERS = True
LOGIN_URL = "tasks-ui:login"
# The pages name their own; this is for a login of the console that names no page.
LOGIN_REDIRECT_URL = "admin:index"
# The kind that the home page offers.
HOME_KIND = "text.analyze"
CONTENT_SECURITY_POLICY = PAGES_POLICY
UNFOLD = CONSOLE_THEME
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

# More than the parser's own limit, which is reached first and returns 413 as a problem document.
DATA_UPLOAD_MAX_MEMORY_SIZE = 11 * 1024 * 1024
# No page takes files: those of a form are discarded, not written to the disk.
FILE_UPLOAD_HANDLERS: list[str] = []

REST_FRAMEWORK = api_settings.REST_FRAMEWORK
REST_KNOX = api_settings.REST_KNOX
SPECTACULAR_SETTINGS = api_settings.SPECTACULAR_SETTINGS

# Names that resemble those above, but are not read; the commands that start something show them.
MISSPELT_SETTINGS = env.misspelt(CONTAINERS)
