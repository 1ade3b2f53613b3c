"""The WSGI entry point, which the gateway calls."""

from __future__ import annotations

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskproject.settings")
django.setup(set_prefix=False)

from tasks.api.site import Site  # noqa: E402 needs Django set up

application = Site()
