"""The WSGI entry point, served by granian."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskproject.settings")
site = get_wsgi_application()

# After Django is set up: these read its settings.
from tasks.api.parsers import MAX_BODY_BYTES  # noqa: E402
from tasks.api.wsgi import BodyHeaders  # noqa: E402

application = BodyHeaders(site, limit=MAX_BODY_BYTES)
