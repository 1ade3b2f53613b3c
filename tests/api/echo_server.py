"""The project's WSGI application with the echo routes: `granian tests.api.echo_server:application`."""

from __future__ import annotations

from django.conf import settings

from taskproject.wsgi import application

settings.ROOT_URLCONF = "tests.api.echo"

__all__ = ["application"]
