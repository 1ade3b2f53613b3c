"""Verifier: a thread in the leader of each supervisor; one of them checks the invariants hourly."""

from __future__ import annotations

import logging
import random
import threading

from django.db import Error, connection

from tasks import invariants

log = logging.getLogger(__name__)

# Seconds between two questions whether a check is due, and before the first: after a start the
# rescuer has its turn.
PAUSE = 300.0
FIRST_PAUSE = 60.0


class Verifier(threading.Thread):
    """Checks the invariants with a connection of its own, which is closed between checks.

    Nothing waits for it: neither the rescuer nor a renewal of a lease.
    """

    def __init__(self) -> None:
        super().__init__(name="verifier", daemon=True)
        self._stopped = threading.Event()

    def run(self) -> None:
        """Check until stopped; an error ends only its check."""
        pause = FIRST_PAUSE
        # Jitter, so that the processes do not ask all at once.
        while not self._stopped.wait(pause * (1.0 + random.random())):  # noqa: S311
            pause = PAUSE
            try:
                self._round()
            except (Error, invariants.NotChecked) as error:
                log.warning(
                    "could not check the invariants; the next check is in an hour",
                    extra={"error": str(error).strip()},
                )
            except Exception:
                # A defect in one check must not end the verifier unnoticed.
                log.exception(
                    "an unexpected error stopped the check of the invariants;"
                    " the next check is in an hour"
                )
            connection.close()

    def stop(self) -> None:
        """Stop; a check that waits for its second look is given up."""
        self._stopped.set()

    def _round(self) -> None:
        if not invariants.begin_turn():
            return
        last = invariants.last_report()
        after = last.next_after if last else invariants.FIRST
        report = invariants.verify(after=after, wait=self._stopped.wait)
        if report is None:
            return
        invariants.store_report(report)
        for finding in report.findings:
            log.error(
                "an invariant does not hold",
                extra={
                    "invariant": finding.invariant.name,
                    "violations": finding.count,
                    "detail": finding.sentence,
                },
            )
        for name, reason in report.unchecked.items():
            log.warning(
                "an invariant could not be checked", extra={"invariant": name, "error": reason}
            )
