"""The project's own WSGI application, serving the echo routes."""

from __future__ import annotations

from django.conf import settings

from taskproject.wsgi import application

settings.ROOT_URLCONF = "tests.api.echo"

__all__ = ["application"]
