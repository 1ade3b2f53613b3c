"""Reporter: writes the progress of all running handlers, twice a second, in one statement."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

import psycopg

from tasks import sql
from tasks.worker.session import Session
from tasks.worker.slot import Running

log = logging.getLogger(__name__)

INTERVAL = 0.5
# Rounds without a report after which the connection is closed.
QUIET_ROUNDS = 20


class Reporter(threading.Thread):
    """Writes the latest progress of what runs; a failed write is not repeated."""

    def __init__(self, running: Callable[[], Sequence[Running]]) -> None:
        super().__init__(name="reporter", daemon=True)
        self._running = running
        self._session = Session("progress")
        self._stopped = threading.Event()

    def run(self) -> None:
        """Report until stopped."""
        quiet = 0
        while not self._stopped.wait(INTERVAL):
            try:
                quiet = 0 if self._report() else quiet + 1
            except psycopg.Error as error:
                log.warning(
                    "could not store progress; the next report is stored instead",
                    extra={"error": type(error).__name__},
                )
            if quiet == QUIET_ROUNDS:
                self._session.close()
        self._session.close()

    def stop(self) -> None:
        """Stop reporting."""
        self._stopped.set()

    def _report(self) -> bool:
        """Write what handlers have reported; return whether there was anything."""
        reports = [
            (attempt.claim, *report)
            for attempt in self._running()
            if (report := attempt.context.take_report())
        ]
        if not reports:
            return False
        params = {
            "task_ids": [claim.id for claim, _, _ in reports],
            "claim_numbers": [claim.claim_number for claim, _, _ in reports],
            "percents": [percent for _, percent, _ in reports],
            "messages": [message for _, _, message in reports],
        }
        self._session.rows(sql.PROGRESS, params)
        return True
