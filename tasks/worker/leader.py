"""Leader: does for all worker processes of one supervisor what one of them can do."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Sequence
from typing import Any

import psycopg
from django.conf import settings

from tasks import sql
from tasks.worker import notices
from tasks.worker.rescuer import Rescuer
from tasks.worker.scheduler import Scheduler
from tasks.worker.session import Session, is_pooled
from tasks.worker.siblings import Member

log = logging.getLogger(__name__)

STAGE_LIMIT = 1_000
# The fewest seconds between two looks for scheduled jobs that are due.
SOON = 0.005


class Leader:
    """Waits to lead, then listens to the database, stages jobs, and runs rescuer and scheduler."""

    def __init__(self, member: Member, *, queues: Sequence[str] | None) -> None:
        self._member = member
        self._queues = queues
        self._stopped = threading.Event()
        self._others: list[Rescuer | Scheduler] = []

    def run(self) -> None:
        """Lead from the moment in which no other process does: the thread's main loop."""
        self._member.lead()
        if self._stopped.is_set():
            return
        self._others = [Rescuer(), Scheduler()]
        for thread in self._others:
            thread.start()
        session = Session("listen")
        while not self._stopped.is_set():
            session.run_until_answered(self._listen)

    def stop(self) -> None:
        """Stop what it does for others; it leads until the process ends."""
        self._stopped.set()
        for thread in self._others:
            thread.stop()

    def _listen(self, connection: psycopg.Connection[Any]) -> None:
        """Tell the processes of jobs that have come or are due, until stopped."""
        if not is_pooled():
            notices.listen(connection)
        while not self._stopped.is_set():
            until = time.monotonic() + self._stage(connection)
            # Jobs may be due, and some may have been inserted while no process listened.
            self._member.announce_jobs()
            while (pause := until - time.monotonic()) > 0:
                if self._receive(connection, pause):
                    break

    def _stage(self, connection: psycopg.Connection[Any]) -> float:
        """Stage scheduled jobs that are due; return the seconds until the next look."""
        row = connection.execute(sql.STAGE, {"limit": STAGE_LIMIT}, prepare=True).fetchone()
        due_in = row and row[0]
        # Jobs that are inserted meanwhile are announced when they are due sooner than that.
        longest: float = settings.POLL_SECONDS
        return longest if due_in is None else min(max(due_in, SOON), longest)

    def _receive(self, connection: psycopg.Connection[Any], seconds: float) -> bool:
        """Pass on the next notifications; return whether a job may be due before the next look."""
        is_sooner = False
        for notify in connection.notifies(timeout=seconds, stop_after=1):
            notice = notices.read(notify.channel, notify.payload)
            if isinstance(notice, uuid.UUID):
                self._member.announce_cancel(notice)
            elif notice and notice.concerns(self._queues):
                self._member.announce_jobs()
                is_sooner |= notice.is_scheduled
        return is_sooner
