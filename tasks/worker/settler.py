"""Settler: a thread in the leader of each supervisor that acts upon the ends of awaited tasks."""

from __future__ import annotations

import logging
import threading

from django.db import connection

from tasks import lifecycle
from tasks.postgres.failures import is_outage_or_may_pass

log = logging.getLogger(__name__)

# Its connection is closed after so many seconds without an end.
IDLE_SECONDS = 30.0


class Settler(threading.Thread):
    """Settles whenever the leader has seen an end that was noted; holds no connection otherwise."""

    def __init__(self) -> None:
        super().__init__(name="settler", daemon=True)
        self._woken = threading.Event()
        self._stopped = False

    def run(self) -> None:
        """Settle until stopped; after an error the leader wakes it again."""
        while not self._stopped:
            if not self._woken.wait(IDLE_SECONDS):
                connection.close()
                continue
            self._woken.clear()
            if self._stopped:
                break
            try:
                lifecycle.settle()
            except Exception as error:  # a defect must not end the thread unnoticed
                log.warning(
                    "could not act upon the ends of tasks; the next try follows soon",
                    extra={"error": type(error).__name__},
                    exc_info=not is_outage_or_may_pass(error),
                )
                connection.close()
        connection.close()

    def wake(self) -> None:
        """Settle what was noted."""
        self._woken.set()

    def stop(self) -> None:
        """Stop after what it does now."""
        self._stopped = True
        self._woken.set()
