"""The web server's command: `python -m taskproject.web` becomes it."""

from __future__ import annotations

import os
import signal
import sys

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.core.wsgi import get_wsgi_application

# Each may wait for a task on behalf of a client, and holds a connection to the database.
THREADS = 16


def command() -> list[str]:
    """Return the command that serves the site with a process for each core."""
    options = {
        "interface": "wsgi",
        "host": settings.HOST,
        "port": settings.PORT,
        "workers": settings.CORES,
        "blocking-threads": THREADS,
        "workers-kill-timeout": max(1, int(settings.WORKER_STOP_GRACE_PERIOD)),
        "log-level": "error",
    }
    flags = [f"--{name}={value}" for name, value in options.items()]
    return [
        *(sys.executable, "-m", "granian"),
        *flags,
        *("--no-ws", "--respawn-failed-workers"),
        *("--factory", "taskproject.web:load"),
    ]


def load() -> WSGIHandler:
    """Load the site in one of the server's processes."""
    # The server minds signals only from here on: until now one to stop would have been lost.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    return get_wsgi_application()


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskproject.settings")
    os.execv(sys.executable, command())  # noqa: S606
