"""The web server's command: `python -m taskproject.web` becomes it."""

from __future__ import annotations

import gc
import os
import signal
import sys

from django.conf import settings

from tasks.api.wsgi import Application

# Each may wait for a task on behalf of a client, and holds a connection to the database.
THREADS = 16
# Seconds for the requests under way when it stops; longer ones are those that only wait.
STOP_TIMEOUT = 10


def command() -> list[str]:
    """Return the command that serves the site with a process for each core."""
    options = {
        "interface": "wsgi",
        "host": settings.HOST,
        "port": settings.PORT,
        "workers": settings.CORES,
        "blocking-threads": THREADS,
        # A thread that ends takes its connection to the database along.
        "blocking-threads-idle-timeout": 600,
        "workers-kill-timeout": STOP_TIMEOUT,
        "log-level": "error",
    }
    flags = [f"--{name}={value}" for name, value in options.items()]
    return [
        *(sys.executable, "-m", "granian"),
        *flags,
        *("--no-ws", "--respawn-failed-workers"),
        *("--factory", "taskproject.web:load"),
    ]


def load() -> Application:
    """Load the site in one of the server's processes."""
    # The server minds signals only after this: one to stop would be lost meanwhile.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # Imported late: it is the import that loads the site.
    from taskproject.wsgi import application

    # What is there now stays: the collector need not go through it every few requests.
    gc.collect()
    gc.freeze()
    return application


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskproject.settings")
    os.execv(sys.executable, command())  # noqa: S606
