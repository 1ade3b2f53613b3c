"""Web server: its command, which `python -m taskproject.web` runs in its place."""

from __future__ import annotations

import argparse
import gc
import logging
import os
import signal
import sys
from multiprocessing.util import Finalize
from pathlib import Path
from typing import TYPE_CHECKING

import django
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from taskproject.embedded import EmbeddedError
from taskproject.root import leave_root
from taskproject.standard_streams import open_closed_streams
from taskproject.unprivileged import RootRefused
from tasks import tracing

if TYPE_CHECKING:
    from tasks.api.gateway import Gateway

# Each may wait for a task on behalf of a client, and holds a connection to the database.
THREADS = 16
# A thread that computes gives way to others after so many seconds: the event loop is one of them,
# and each request crosses it several times.
SWITCH_INTERVAL = 0.001
# Seconds that requests have to end when it stops; longer ones only wait for a task.
STOP_TIMEOUT = 10
# Bytes of a request's line and headers, and the most milliseconds that the server grants them.
LARGEST_HEAD = 64 * 1024
LONGEST_HEAD = 60_000
# The server's own lines in JSON, as all others.
SERVER_LOG = Path(__file__).with_name("server_log.json")


def command(address: str) -> list[str]:
    """Return the command that serves the site on an address, with a process for each core."""
    options = {
        "interface": "asginl",
        # Nothing needs HTTP/2 without TLS. With it, idle connections would have no time limit.
        "http": "1",
        "host": address,
        "port": settings.PORT,
        "workers": settings.CORES,
        "http1-header-read-timeout": min(LONGEST_HEAD, int(settings.REQUEST_TIMEOUT * 1000)),
        "http1-buffer-size": LARGEST_HEAD,
        "workers-kill-timeout": STOP_TIMEOUT,
        # On a terminal only what is wrong: `up` has its own words for the rest.
        "log-level": settings.LOG_LEVEL.lower() if settings.LOG_JSON else "error",
    }
    if settings.LOG_JSON:
        options["log-config"] = SERVER_LOG
    flags = [f"--{name}={value}" for name, value in options.items()]
    return [
        *(sys.executable, "-m", "granian"),
        *flags,
        *("--no-ws", "--respawn-failed-workers"),
        *("--factory", "taskproject.web:load"),
    ]


def load() -> Gateway:
    """Load the site in one of the server's processes; log why if that fails."""
    try:
        return _load()
    except Exception:
        # By the server's logger, which is set up even where the settings cannot be read.
        logging.getLogger("_granian").critical("the site cannot be loaded", exc_info=True)
        sys.exit(1)


def _load() -> Gateway:
    # The server handles signals only after this: a stop signal would be lost until then.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # Imported late: it is the import that loads the site.
    from taskproject.wsgi import application
    from tasks.api.gateway import Gateway
    from tasks.metrics.flusher import Flusher, flush
    from tasks.postgres.application_name import set_application_name
    from tasks.postgres.migrations import import_migrations
    from tasks.worker.alert_watcher import TAKE_OVER, AlertWatcher
    from tasks.worker.output import capture_output

    capture_output()
    set_application_name("web")
    Flusher().start()
    AlertWatcher(older_than=TAKE_OVER).start()
    tracing.start()
    # The server's processes run no functions of atexit where Python forks them.
    Finalize(None, flush, exitpriority=0)
    Finalize(None, tracing.stop, exitpriority=1)
    # The first scrape and the first check of health would take three times as long.
    import_migrations()
    # What is loaded now stays: the collector need not scan it every few requests.
    gc.collect()
    gc.freeze()
    sys.setswitchinterval(SWITCH_INTERVAL)
    return Gateway(application, threads=THREADS, timeout=settings.REQUEST_TIMEOUT)


def main() -> None:
    """Check what is needed, then become the server; a port in use is shared only on request."""
    open_closed_streams()
    parser = argparse.ArgumentParser(
        prog="python -m taskproject.web", description="Serve the site."
    )
    parser.add_argument(
        "--take-over",
        action="store_true",
        help="share the port with the server that has it; then stop that one with SIGTERM",
    )
    take_over = parser.parse_args().take_over
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskproject.settings")
    try:
        leave_root(["web"])
        django.setup()
        for sentence in settings.MISSPELT_SETTINGS:
            logging.getLogger(__name__).warning(sentence)
        tracing.load()
        address = _checked_address(take_over=take_over)
    except (ImproperlyConfigured, EmbeddedError, RootRefused) as error:
        sys.exit(str(error))
    os.execv(sys.executable, command(address))  # noqa: S606


def _checked_address(*, take_over: bool) -> str:
    # Imported late: they need the settings.
    from taskproject.preflight import check_web
    from tasks.startup import NotReady

    try:
        return check_web(take_over=take_over)
    except NotReady as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
