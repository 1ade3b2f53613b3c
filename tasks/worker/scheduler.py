"""Scheduler: a thread in the leader of each supervisor that runs the schedules that are due."""

from __future__ import annotations

import logging
import threading

from django.db import Error, connection

from tasks import schedules

log = logging.getLogger(__name__)

# Seconds within which a new or changed schedule is noticed.
LONGEST_PAUSE = 5.0
# A due schedule that another scheduler has locked is not queried without a pause.
SHORTEST_PAUSE = 0.2


class Scheduler(threading.Thread):
    """Sleeps until the next tick; of all schedulers that wake for it, one runs it."""

    def __init__(self) -> None:
        super().__init__(name="scheduler", daemon=True)
        self._stopped = threading.Event()

    def run(self) -> None:
        """Run schedules until stopped; an error ends only its round."""
        pause = SHORTEST_PAUSE
        while not self._stopped.wait(pause):
            pause = self._round()
        connection.close()

    def stop(self) -> None:
        """Stop after the current round."""
        self._stopped.set()

    def _round(self) -> float:
        try:
            schedules.fire_due()
            left = schedules.seconds_until_next()
        except Error as error:
            log.warning(
                "could not run the due schedules; the next round tries again",
                extra={"error": type(error).__name__},
            )
        except Exception:
            # A defect in one round must not end the scheduler unnoticed.
            log.exception(
                "an unexpected error stopped this round of schedules; the next round tries again"
            )
        else:
            return LONGEST_PAUSE if left is None else min(LONGEST_PAUSE, max(SHORTEST_PAUSE, left))
        connection.close()
        return LONGEST_PAUSE
