"""Lease: a thread that renews this worker's lease in the database."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg
from django.conf import settings

from tasks import sql
from tasks.counts import counts
from tasks.lifecycle.ending import ClaimKey
from tasks.metrics.store import add_counts
from tasks.worker.session import worker_parameters

log = logging.getLogger(__name__)

_RETRY_SECONDS = 0.5
_COUNTS_TIMEOUTS = "SET LOCAL lock_timeout = '500ms'; SET LOCAL statement_timeout = '1s'"


class Lease(threading.Thread):
    """Renews a worker's lease on a connection of its own, also while the worker drains.

    Calls `on_lost` when the lease was not renewed for two thirds of its length, or a rescue has
    ended it: other workers may take the tasks, so this process must stop working on them. Passes
    on which claims the worker has in the database, and which of them should stop.
    """

    def __init__(
        self,
        *,
        worker_id: int,
        heartbeat_fields: Callable[[], dict[str, Any]],
        on_claims: Callable[[set[ClaimKey]], object],
        on_cancel: Callable[[set[ClaimKey]], object],
        on_lost: Callable[[str], None],
    ) -> None:
        super().__init__(name="lease", daemon=True)
        self._worker_id = worker_id
        self._heartbeat_fields = heartbeat_fields
        self._on_claims = on_claims
        self._on_cancel = on_cancel
        self._on_lost = on_lost
        self._stopped = threading.Event()
        self._wake = threading.Event()
        self._connection: psycopg.Connection[Any] | None = None
        self._renewed_at = time.monotonic()

    def run(self) -> None:
        """Renew until stopped."""
        pause = 0.0
        while not self._is_stopped_after(pause):
            try:
                self._renew()
                self._add_counts()
                pause = settings.HEARTBEAT_SECONDS
            except psycopg.Error as error:
                log.warning(
                    "could not renew the lease; trying again", extra={"error": type(error).__name__}
                )
                self._disconnect()
                pause = _RETRY_SECONDS
                self.check()
        self._add_counts()
        self._disconnect()

    def check(self) -> None:
        """Call `on_lost` when the last renewal is too old; also called by the event loop."""
        if self.age() > settings.LEASE_SECONDS * 2 / 3 and not self._stopped.is_set():
            self._on_lost(f"not renewed for {self.age():.0f} s")

    def age(self) -> float:
        """Return the seconds since the last renewal."""
        return time.monotonic() - self._renewed_at

    def stop(self) -> None:
        """Stop renewing."""
        self._stopped.set()
        self._wake.set()

    def renew_soon(self) -> None:
        """Renew at once: a task of this worker should stop."""
        self._wake.set()

    def _is_stopped_after(self, pause: float) -> bool:
        self._wake.wait(pause)
        self._wake.clear()
        return self._stopped.is_set()

    def _renew(self) -> None:
        if self._connection is None:
            self._connection = psycopg.connect(**worker_parameters("lease"), autocommit=True)
        sent_at = time.monotonic()
        params = {"worker": self._worker_id, **self._heartbeat_fields()}
        row = self._connection.execute(sql.HEARTBEAT, params).fetchone()
        is_held, task_ids, claim_numbers, to_cancel = row or (False, [], [], [])
        if not is_held:
            self._on_lost("a rescue has ended it")
            return
        # The lease counts from before the statement, so that a slow one does not lengthen it.
        self._renewed_at = sent_at
        # Without a task there is one row of nulls.
        claims = [key for key in zip(task_ids, claim_numbers, strict=True) if key[0]]
        self._on_claims(set(claims))
        self._on_cancel({key for key, cancel in zip(claims, to_cancel, strict=False) if cancel})

    def _add_counts(self) -> None:
        """Add what this process has counted, unless that would take long; a loss costs no lease."""
        if self._connection is None or not counts:
            return
        try:
            with self._connection.transaction():
                # The next renewal waits for this, so neither a lock nor a slow disk may hold it up.
                self._connection.execute(_COUNTS_TIMEOUTS)
                add_counts(self._connection)
        except psycopg.Error as error:
            log.warning(
                "could not store metrics; the next renewal of the lease stores them too",
                extra={"error": type(error).__name__},
            )

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection:
            connection.close()
