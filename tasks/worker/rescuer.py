"""The rescuer: a thread in every worker process, of which one at a time does the work."""

from __future__ import annotations

import datetime as dt
import logging
import math
import random
import threading
import time
from contextlib import suppress

from django.conf import settings
from django.db import Error, connection

from tasks import lifecycle
from tasks.models import Worker

log = logging.getLogger(__name__)

RECONCILE_SECONDS = 10.0
# Reconciling reads all that waits: it may take this share of the time, no more.
RECONCILE_SHARE = 0.05
PRUNE_SECONDS = 3600.0
# Heartbeats without a renewal after which a worker counts as silent.
MISSED = 1.5
# Seconds between two looks by which the database's clock may differ from ours.
STEP = 1.0


class Watch:
    """Sees which workers renew nothing, by this process's own clock, which nobody sets."""

    def __init__(self) -> None:
        self._seen: dict[int, tuple[dt.datetime, float]] = {}
        self._offset: float | None = None
        self._stepped_at = -math.inf

    def is_steady(self) -> bool:
        """Look at the database's clock; say whether it has gone with ours for a lease."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
            ((told,),) = cursor.fetchall()
        now = time.monotonic()
        offset, self._offset = self._offset, told - now
        if offset is not None and abs(self._offset - offset) > STEP:
            self._stepped_at = now
        return now - self._stepped_at > settings.LEASE_SECONDS

    def silent(self) -> list[int]:
        """Look again; return the workers that have missed a renewal since first seen so."""
        now = time.monotonic()
        found = dict(Worker.objects.values_list("id", "heartbeat_at"))
        self._seen = {
            worker: seen if (seen := self._seen.get(worker)) and seen[0] == beat else (beat, now)
            for worker, beat in found.items()
        }
        longest = settings.HEARTBEAT_SECONDS * MISSED
        return [worker for worker, (_, since) in self._seen.items() if now - since >= longest]


class Rescuer(threading.Thread):
    """Looks every few seconds for what dead workers left behind, and hourly for what is too old."""

    def __init__(self) -> None:
        super().__init__(name="rescuer", daemon=True)
        self._stopped = threading.Event()
        self._watch = Watch()
        # Not at the first look, when workers have just begun on what waits.
        self._reconcile_at = time.monotonic() + settings.RESCUE_SECONDS
        self._prune_at = time.monotonic() + PRUNE_SECONDS * random.random()  # noqa: S311

    def run(self) -> None:
        """Rescue until stopped; the database's absences are waited out."""
        with suppress(Error):
            self._watch.is_steady()
        # Jitter, so that the processes take turns instead of asking all at once. The first look
        # comes early: where processes die young, none of them may live to see a later one.
        pause = settings.RESCUE_SECONDS * random.random()  # noqa: S311
        while not self._stopped.wait(pause):
            pause = settings.RESCUE_SECONDS * (0.8 + 0.4 * random.random())  # noqa: S311
            try:
                self._round()
            except Error as error:
                log.warning("rescue failed", extra={"error": type(error).__name__})
                connection.close()
        connection.close()

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()

    def _round(self) -> None:
        silent, steady = self._watch.silent(), self._watch.is_steady()
        while lifecycle.rescue(silent, steady=steady) == lifecycle.RESCUE_LIMIT:
            pass
        lifecycle.forget_workers()
        began = time.monotonic()
        if began >= self._reconcile_at:
            lifecycle.reconcile()
            spent = time.monotonic() - began
            self._reconcile_at = began + max(RECONCILE_SECONDS, spent / RECONCILE_SHARE)
        if began >= self._prune_at:
            self._prune_at = began + PRUNE_SECONDS
            lifecycle.prune()
