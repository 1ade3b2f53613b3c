"""Web server: its command, which `python -m taskproject.web` runs in its place."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.log import configure_logging

from tasks.api.wsgi import Application

# Each may wait for a task on behalf of a client, and holds a connection to the database.
THREADS = 16
# Seconds that requests have to end when it stops; longer ones only wait for a task.
STOP_TIMEOUT = 10


def command() -> list[str]:
    """Return the command that serves the site with a process for each core."""
    options = {
        "interface": "wsgi",
        "host": settings.HOST,
        "port": settings.PORT,
        "workers": settings.CORES,
        "blocking-threads": THREADS,
        # A thread that ends also closes its connection to the database.
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
    # The server handles signals only after this: a stop signal would be lost until then.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # Imported late: it is the import that loads the site.
    from taskproject.wsgi import application

    # What is loaded now stays: the collector need not scan it every few requests.
    gc.collect()
    gc.freeze()
    return application


def main() -> None:
    """Become the server, after a look at the settings."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskproject.settings")
    try:
        configure_logging(settings.LOGGING_CONFIG, settings.LOGGING)
    except ImproperlyConfigured as error:
        sys.exit(str(error))
    for sentence in settings.MISSPELT_SETTINGS:
        logging.getLogger(__name__).warning(sentence)
    os.execv(sys.executable, command())  # noqa: S606


if __name__ == "__main__":
    main()
