"""Adopter: a thread that brings older tasks under new limits, and ends when these apply."""

from __future__ import annotations

import logging
import threading

from django.db import Error, connection

from tasks import limits

log = logging.getLogger(__name__)

# Between two walks through all that waits.
PAUSE = 1.0


class Adopter(threading.Thread):
    """Walks through all that waits, which may take long, with a connection of its own.

    An error ends it; the rescuer starts another one in its next round.
    """

    def __init__(self, stopped: threading.Event) -> None:
        super().__init__(name="adopter", daemon=True)
        self._stopped = stopped

    def run(self) -> None:
        """Walk until every limit applies, or until stopped."""
        adoption = limits.Adoption(is_stopped=self._stopped.is_set)
        try:
            while adoption.step() and not self._stopped.wait(PAUSE):
                pass
        except Error as error:
            log.warning(
                "could not bring older tasks under a new limit; trying again",
                extra={"error": type(error).__name__},
            )
        connection.close()
