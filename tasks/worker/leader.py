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

from tasks import lifecycle
from tasks.worker import notices
from tasks.worker.alert_watcher import AlertWatcher
from tasks.worker.rescuer import Rescuer
from tasks.worker.scheduler import Scheduler
from tasks.worker.session import Session, can_listen
from tasks.worker.settler import Settler
from tasks.worker.siblings import Member
from tasks.worker.verifier import Verifier

log = logging.getLogger(__name__)

# Seconds within which a notification arrives.
_COMPARE_SECONDS = 5.0
# The fewest seconds between two looks for scheduled jobs that are due.
SOON = 0.005


class Leader:
    """Waits to lead, then listens to the database, stages jobs, and runs the threads below."""

    def __init__(self, member: Member, *, queues: Sequence[str] | None) -> None:
        self._member = member
        self._queues = queues
        self._stopped = threading.Event()
        self._settler = Settler()
        self._others: list[Rescuer | Scheduler | AlertWatcher | Verifier | Settler] = []
        self._session = Session("listen", direct=True)
        # What changes the database goes where all else does, also if the direct URL is wrong.
        self._stage_session = Session("stage") if settings.DIRECT_DATABASE else self._session

    def run(self) -> None:
        """Lead from the moment in which no other process does: the thread's main loop."""
        self._member.lead()
        if self._stopped.is_set():
            return
        self._others = [Rescuer(), Scheduler(), AlertWatcher(), Verifier(), self._settler]
        for thread in self._others:
            thread.start()
        while not self._stopped.is_set():
            self._session.run_until_answered(self._listen)

    def stop(self) -> None:
        """Stop what it does for others; it leads until the process ends."""
        self._stopped.set()
        for thread in self._others:
            thread.stop()

    def _listen(self, connection: psycopg.Connection[Any]) -> None:
        """Tell the processes of jobs that have come or are due, until stopped."""
        if can_listen():
            notices.listen(connection)
        if settings.DIRECT_DATABASE:
            self._compare_databases(connection)
        while not self._stopped.is_set():
            until = time.monotonic() + self._stage()
            # Jobs may be due, and some may have been inserted while no process listened.
            self._member.announce_jobs()
            while (pause := until - time.monotonic()) > 0:
                if self._receive(connection, pause):
                    break

    def _compare_databases(self, connection: psycopg.Connection[Any]) -> None:
        """Log an error if notifications of the database that has the jobs do not arrive."""
        no_task = str(uuid.uuid4())
        self._stage_session.rows(notices.SEND, {"channel": notices.CANCEL, "payload": no_task})
        received = connection.notifies(timeout=_COMPARE_SECONDS)
        if not any(notify.payload == no_task for notify in received):
            log.error(
                "no notification of the database in DATABASE_URL arrives through"
                " DATABASE_DIRECT_URL; tasks start up to a second late while workers are idle"
            )

    def _stage(self) -> float:
        """Stage scheduled jobs that are due; return the seconds until the next look."""
        due_in, has_ends = lifecycle.stage(self._stage_session.rows)
        if has_ends:
            self._settler.wake()
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
            elif notice:
                if notice.concerns(self._queues):
                    self._member.announce_jobs()
                is_sooner |= notice.is_scheduled
        return is_sooner
