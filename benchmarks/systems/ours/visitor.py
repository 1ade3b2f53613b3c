"""Visitor of the console: create an operator and print the cookie of their session."""

from __future__ import annotations

import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskproject.settings")
django.setup()

from django.conf import settings  # noqa: E402 needs Django set up
from django.contrib.auth.models import User  # noqa: E402
from django.test import Client  # noqa: E402

if __name__ == "__main__":
    browser = Client()
    browser.force_login(User.objects.create_superuser("visitor"))
    name = settings.SESSION_COOKIE_NAME
    sys.stdout.write(f"{name}={browser.cookies[name].value}\n")
