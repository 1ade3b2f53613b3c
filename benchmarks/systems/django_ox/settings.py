"""Django project that uses django-ox as documented, without this project's code."""

from __future__ import annotations

import environ

DATABASES = {
    # Kept open, so that no task pays for a connection.
    "default": {**environ.Env().db("DATABASE_URL"), "CONN_MAX_AGE": None}
}
INSTALLED_APPS = ["django_ox"]
TASKS = {"default": {"BACKEND": "django_ox.backend.OxBackend"}}
SECRET_KEY = "for a benchmark"
USE_TZ = True
DEBUG = False
