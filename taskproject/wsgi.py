"""The WSGI entry point, served by granian."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

from tasks.api.parsers import MAX_BODY_BYTES
from tasks.api.wsgi import BodyHeaders

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskproject.settings")

application = BodyHeaders(get_wsgi_application(), limit=MAX_BODY_BYTES)
