"""The project's own server with one process, which serves the echo routes."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from django.conf import settings

from taskproject import web

if TYPE_CHECKING:
    from tasks.api.gateway import Gateway


def load() -> Gateway:
    """Load the site with the echo routes."""
    settings.ROOT_URLCONF = "tests.api.echo"
    return web.load()


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskproject.settings")
    settings.CORES = 1
    os.execv(sys.executable, [*web.command("127.0.0.1")[:-1], "tests.api.echo_server:load"])
