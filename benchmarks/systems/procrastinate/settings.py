"""Django project that uses procrastinate as documented, without this project's code."""

from __future__ import annotations

import environ

DATABASES = {
    # Kept open, so that no task pays for a connection.
    "default": {**environ.Env().db("DATABASE_URL"), "CONN_MAX_AGE": None}
}
INSTALLED_APPS = ["procrastinate.contrib.django", "benchmarks.systems.procrastinate"]
SECRET_KEY = "for a benchmark"
USE_TZ = True
DEBUG = False
PROCRASTINATE_AUTODISCOVER_MODULE_NAME = "jobs"
