"""Alert watcher: a thread that evaluates the rules of alerts and sends what no worker has sent.

It runs in the leader of each supervisor and in every process of the web server, so that alerts work
while no worker lives. A web server evaluates only rules that the leaders have left for longer.
"""

from __future__ import annotations

import logging
import random
import threading

from django.db import Error, connection

from tasks import alerts
from tasks.postgres.failures import is_outage_or_may_pass
from tasks.worker.overdue_alerts import send_overdue

log = logging.getLogger(__name__)

# Seconds between two rounds; what is not due costs two small queries.
PAUSE = 5.0
# After so many seconds a web server takes over the rules that no leader has evaluated.
TAKE_OVER = 2 * alerts.EVERY


class AlertWatcher(threading.Thread):
    """Evaluates the rules with an evaluation longer ago than `older_than` seconds."""

    def __init__(self, *, older_than: float = alerts.EVERY) -> None:
        super().__init__(name="alerts", daemon=True)
        self._stopped = threading.Event()
        self._older_than = older_than

    def run(self) -> None:
        """Evaluate and send until stopped; an error ends only its round."""
        # Jitter, so that the processes do not query all at once.
        while not self._stopped.wait(PAUSE * (0.5 + random.random())):  # noqa: S311
            try:
                alerts.evaluate_due(older_than=self._older_than)
                send_overdue()
            except Exception as error:  # a defect must not end the watch unnoticed
                is_expected = isinstance(error, Error) or is_outage_or_may_pass(error)
                log.warning(
                    "could not evaluate or send alerts; the next round tries again",
                    extra={"error": type(error).__name__},
                    exc_info=not is_expected,
                )
            finally:
                # Between two rounds it needs none.
                connection.close()

    def stop(self) -> None:
        """Stop after the current round."""
        self._stopped.set()
