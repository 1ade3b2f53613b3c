"""The scheduler: a thread in every worker process that fires what the schedules have due."""

from __future__ import annotations

import logging
import threading

from django.db import Error, connection

from tasks import schedules

log = logging.getLogger(__name__)

# Within so many seconds a schedule that was made or changed is noticed.
LONGEST_PAUSE = 5.0
# What is due but in another scheduler's hands is not asked for without end.
SHORTEST_PAUSE = 0.2


class Scheduler(threading.Thread):
    """Sleeps until the next tick; of all that wake for it, one fires."""

    def __init__(self) -> None:
        super().__init__(name="scheduler", daemon=True)
        self._stopped = threading.Event()

    def run(self) -> None:
        """Fire until stopped; the database's absences are waited out."""
        pause = SHORTEST_PAUSE
        while not self._stopped.wait(pause):
            pause = self._round()
        connection.close()

    def stop(self) -> None:
        """Fire no more."""
        self._stopped.set()

    def _round(self) -> float:
        try:
            schedules.fire_due()
            left = schedules.seconds_until_next()
        except Error as error:
            log.warning("scheduling failed", extra={"error": type(error).__name__})
        except Exception:
            # A defect in one round must not stop the clock for good, unnoticed.
            log.exception("scheduling failed")
        else:
            return LONGEST_PAUSE if left is None else min(LONGEST_PAUSE, max(SHORTEST_PAUSE, left))
        connection.close()
        return LONGEST_PAUSE
