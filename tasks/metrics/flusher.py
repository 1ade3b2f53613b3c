"""Flusher: a thread that adds the counts of a process that is no worker."""

from __future__ import annotations

import logging
import threading

from django.db import Error, connection

from tasks.counts import counts
from tasks.metrics.store import EVERY, add_counts

log = logging.getLogger(__name__)


class Flusher(threading.Thread):
    """Adds what the process has counted, every few seconds, until it ends."""

    def __init__(self) -> None:
        super().__init__(name="metrics", daemon=True)

    def run(self) -> None:
        """Add counts for ever; a failed try is repeated with what was counted since."""
        pause = threading.Event()
        while not pause.wait(EVERY):
            flush()


def flush() -> None:
    """Add the counts now; log a failure, which loses nothing."""
    if not counts:
        return
    try:
        with connection.cursor() as cursor:
            add_counts(cursor)
    except Error as error:
        log.warning(
            "could not store metrics; the next try stores them too",
            extra={"error": type(error).__name__},
        )
        connection.close()
