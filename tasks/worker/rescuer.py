"""Rescuer: a thread in the leader of each supervisor; one of them at a time does the work."""

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

from tasks import alerts, lifecycle, limits
from tasks.models import Worker
from tasks.worker.adopter import Adopter

log = logging.getLogger(__name__)

RECONCILE_SECONDS = 10.0
# Reconciling reads every waiting task: it may take at most this share of the time.
RECONCILE_SHARE = 0.05
PRUNE_SECONDS = 3600.0
# Heartbeats without a renewal after which a worker counts as silent.
MISSED = 1.5
# Seconds by which the database's clock may move against ours between two comparisons.
STEP = 1.0


class HeartbeatObserver:
    """Observes which workers renew their lease, by this process's monotonic clock."""

    def __init__(self) -> None:
        self._seen: dict[int, tuple[dt.datetime, float]] = {}
        self._offset: float | None = None
        self._stepped_at = -math.inf

    def is_steady(self) -> bool:
        """Return whether the database's clock has agreed with ours for the length of a lease."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
            ((database_time,),) = cursor.fetchall()
        now = time.monotonic()
        offset, self._offset = self._offset, database_time - now
        if offset is not None and abs(self._offset - offset) > STEP:
            self._stepped_at = now
        return now - self._stepped_at > settings.LEASE_SECONDS

    def missed_renewal(self) -> list[int]:
        """Read the heartbeats; return the workers that have not renewed for too long."""
        now = time.monotonic()
        heartbeats = dict(Worker.objects.values_list("id", "heartbeat_at"))
        self._seen = {
            worker: seen
            if (seen := self._seen.get(worker)) and seen[0] == heartbeat
            else (heartbeat, now)
            for worker, heartbeat in heartbeats.items()
        }
        longest = settings.HEARTBEAT_SECONDS * MISSED
        return [worker for worker, (_, since) in self._seen.items() if now - since >= longest]


class Rescuer(threading.Thread):
    """Rescues tasks of dead workers every few seconds; prunes old tasks and alerts every hour."""

    def __init__(self) -> None:
        super().__init__(name="rescuer", daemon=True)
        self._stopped = threading.Event()
        self._observer = HeartbeatObserver()
        self._has_declared = False
        self._adopter: Adopter | None = None
        # Not in the first round, when workers have just begun on what waits.
        self._reconcile_at = time.monotonic() + settings.RESCUE_SECONDS
        self._prune_at = time.monotonic() + PRUNE_SECONDS * random.random()  # noqa: S311

    def run(self) -> None:
        """Rescue until stopped; an error of the database ends only its round."""
        with suppress(Error):
            self._observer.is_steady()
        # Jitter, so that the processes do not query all at once. The first round comes early:
        # where processes soon die, none of them may live until a later one.
        pause = settings.RESCUE_SECONDS * random.random()  # noqa: S311
        while not self._stopped.wait(pause):
            pause = settings.RESCUE_SECONDS * (0.8 + 0.4 * random.random())  # noqa: S311
            try:
                self._round()
            except Error as error:
                log.warning(
                    "could not rescue, reconcile or prune tasks; the next round tries again",
                    extra={"error": type(error).__name__},
                )
                connection.close()
        connection.close()

    def stop(self) -> None:
        """Stop after the current round."""
        self._stopped.set()

    def _round(self) -> None:
        missed_renewal, steady = self._observer.missed_renewal(), self._observer.is_steady()
        lifecycle.rescue(missed_renewal, clock_is_steady=steady)
        # Before it reconciles: a claim leaves tasks that have expired without their job.
        lifecycle.expire()
        lifecycle.forget_workers()
        self._start_limits()
        began = time.monotonic()
        if began >= self._reconcile_at:
            repaired = lifecycle.reconcile()
            spent = time.monotonic() - began
            # When there may be more, such as jobs of a deleted account, the next round goes on.
            if max(repaired) < lifecycle.RECONCILE_LIMIT:
                self._reconcile_at = began + max(RECONCILE_SECONDS, spent / RECONCILE_SHARE)
        if began >= self._prune_at:
            self._prune_at = began + PRUNE_SECONDS
            lifecycle.prune()
            alerts.prune()

    def _start_limits(self) -> None:
        """Declare the limits of the code, once; let new limits count older tasks too."""
        if not self._has_declared:
            limits.declare()
            self._has_declared = True
        if (self._adopter is None or not self._adopter.is_alive()) and limits.are_starting():
            self._adopter = Adopter(self._stopped)
            self._adopter.start()
