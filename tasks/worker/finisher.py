"""Finisher: a thread that records endings in groups; those that come meanwhile share the next."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, LiteralString

import psycopg

from tasks import sql
from tasks.error_text import detail_of
from tasks.lifecycle.ending import (
    RELEASED,
    Claim,
    ClaimKey,
    Ending,
    follow_ups,
    note_submitted,
    parameters,
    unstorable,
)
from tasks.lifecycle.telemetry import emit_ended
from tasks.lifecycle.writing import write as write_tasks
from tasks.models import Status
from tasks.postgres.failures import is_outage, is_outage_or_may_pass, may_pass
from tasks.postgres.slow import watch
from tasks.worker.session import Pauses, Session

log = logging.getLogger(__name__)

GROUP_LIMIT = 500
# Bytes of documents in one group: PostgreSQL gets them as one text, of at most 1 GiB.
GROUP_BYTES = 32 * 1024 * 1024
# A larger ending is written alone, in turns with the groups: the others do not wait for several.
LARGE_BYTES = 1024 * 1024
# While more endings than this wait, or more bytes, adding others waits too.
WAITING_LIMIT = 1_000
WAITING_BYTES = 64 * 1024 * 1024
# How often an ending is written alone that the database refuses for a reason that may pass.
ALONE_TRIES = 30


class Unrecordable(Exception):
    """The database refuses even the smallest ending of this claim: the process must end."""

    def __init__(self, claim: Claim) -> None:
        super().__init__(f"the ending of the task {claim.id} cannot be recorded")
        self.claim = claim


@dataclass
class _Alone:
    """An ending that is to be written alone, at a time of the monotonic clock."""

    ending: Ending
    at: float = 0.0
    pauses: Pauses = field(default_factory=Pauses)


class Finisher:
    """Records the endings of one worker process; its methods may be called from any thread."""

    def __init__(self, *, worker: str, held: set[ClaimKey]) -> None:
        self._session = Session("finish")
        self._worker = worker
        self._held = held
        self._changed = threading.Condition(threading.Lock())
        self._waiting: deque[Ending] = deque()
        self._large: deque[Ending] = deque()
        self._waiting_bytes = 0
        # Written alone, because the group was refused.
        self._alone: list[_Alone] = []
        # By their identity: all endings that are not recorded yet.
        self._unrecorded: dict[int, Ending] = {}
        self._counting = threading.Lock()
        self._stopped = False
        self.processed = 0
        self.failed = 0

    def put(self, endings: Iterable[Ending]) -> None:
        """Have endings recorded soon."""
        with self._changed:
            for ending in endings:
                size = ending.size
                (self._waiting if size <= LARGE_BYTES else self._large).append(ending)
                self._waiting_bytes += size
                self._unrecorded[id(ending)] = ending
            self._changed.notify_all()

    def settle(self, claim: Claim, ending: Ending | None) -> None:
        """Note an ending that its attempt has recorded itself; None for a claim that was lost."""
        self._held.discard(claim.key)
        if ending:
            self._count([ending])

    def wait_for_room(self) -> None:
        """Wait while too many, or too large endings are not recorded yet."""
        if self._has_room():
            return
        with self._changed:
            self._changed.wait_for(self._has_room)

    def flush(self) -> None:
        """Return when all endings are recorded."""
        with self._changed:
            self._changed.wait_for(lambda: not self._unrecorded)

    def run(self) -> None:
        """Record what waits, group after group, until stopped: the thread's main loop.

        Raises Unrecordable.
        """
        while self._wait_until_due():
            for group in (self._take_group(), self._take_large()):
                if group:
                    self._record(group)
            for alone in [each for each in self._alone if each.at <= time.monotonic()]:
                self._alone.remove(alone)
                self._record_alone(alone)
        self._session.close()

    def stop(self) -> None:
        """End the thread; what is not recorded yet stays so."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def unrecorded(self) -> list[Ending]:
        """Return the endings that are not recorded yet."""
        with self._changed:
            return list(self._unrecorded.values())

    def _count(self, endings: Sequence[Ending]) -> None:
        """Count recorded endings for the worker's row."""
        with self._counting:
            self.processed += sum(ending.outcome != RELEASED for ending in endings)
            self.failed += sum(ending.status == Status.FAILED for ending in endings)

    def _has_room(self) -> bool:
        return len(self._unrecorded) <= WAITING_LIMIT and self._waiting_bytes <= WAITING_BYTES

    def _wait_until_due(self) -> bool:
        """Wait for an ending to record; return False when the thread must end."""
        with self._changed:
            while not (self._waiting or self._large or self._stopped):
                pause = None
                if self._alone:
                    pause = min(alone.at for alone in self._alone) - time.monotonic()
                    if pause <= 0:
                        break
                self._changed.wait(pause)
            return not self._stopped

    def _take_group(self) -> list[Ending]:
        """Take small endings that are written together."""
        group: list[Ending] = []
        size = 0
        with self._changed:
            while self._waiting and len(group) < GROUP_LIMIT and size < GROUP_BYTES:
                ending = self._waiting.popleft()
                group.append(ending)
                size += ending.size
            self._waiting_bytes -= size
        return group

    def _take_large(self) -> list[Ending]:
        with self._changed:
            if not self._large:
                return []
            ending = self._large.popleft()
            self._waiting_bytes -= ending.size
        return [ending]

    def _record(self, group: list[Ending]) -> None:
        """Write a group; an ending that is refused costs only itself."""
        try:
            finished = write(self._session, group, worker=self._worker, is_passing=is_outage)
        except Exception as error:
            log.warning(
                "the database refused a group of endings; each is written separately",
                extra={"count": len(group), "error": detail_of(error)},
            )
            self._alone += [_Alone(ending) for ending in group]
            return
        self._recorded(group, group, finished)

    def _record_alone(self, alone: _Alone) -> None:
        """Write one ending, or put it off while that may help."""
        ending = alone.ending
        try:
            written = ending
            finished = write(self._session, [ending], worker=self._worker, is_passing=is_outage)
        except Exception as error:
            if may_pass(error) and alone.pauses.count < ALONE_TRIES:
                alone.at = time.monotonic() + alone.pauses.next()
                self._alone.append(alone)
                return
            log.exception(
                "could not store the outcome of an attempt; the task fails",
                extra={"task_id": str(ending.claim.id)},
            )
            written = unstorable(ending, error)
            try:
                finished = write(self._session, [written], worker=self._worker)
            except Exception as refusal:
                raise Unrecordable(ending.claim) from refusal
        self._recorded([ending], [written], finished)

    def _recorded(
        self, endings: list[Ending], written: list[Ending], finished: set[ClaimKey]
    ) -> None:
        """Note that endings were recorded as written, or discarded as their claim was lost."""
        self._held.difference_update(ending.claim.key for ending in endings)
        recorded = [ending for ending in written if ending.claim.key in finished]
        self._count(recorded)
        emit_ended(recorded, worker=self._worker)
        with self._changed:
            for ending in endings:
                del self._unrecorded[id(ending)]
            self._changed.notify_all()


def write(
    session: Session,
    endings: Sequence[Ending],
    *,
    worker: str,
    is_passing: Callable[[psycopg.Error], bool] = is_outage_or_may_pass,
) -> set[ClaimKey]:
    """Write endings; return the claims that were not lost.

    Runs until the database answers: the fence makes a second run harmless.
    """

    def run(connection: psycopg.Connection[Any]) -> set[ClaimKey]:
        def run_here(statement: LiteralString, params: dict[str, Any]) -> list[tuple[Any, ...]]:
            return connection.execute(statement, params).fetchall()

        if not any(ending.follow_ups for ending in endings):
            return _finish(connection, endings, worker)
        with connection.transaction():
            finished = _finish(connection, endings, worker)
            recorded = [ending for ending in endings if ending.claim.key in finished]
            if new := follow_ups(recorded):
                # A job that a replaced task left behind is deleted by a claim or the reconciler.
                note_submitted(recorded, write_tasks(new, run_here).submitted)
        return finished

    return session.run_until_answered(run, is_passing=is_passing)


def _finish(
    connection: psycopg.Connection[Any], endings: Sequence[Ending], worker: str
) -> set[ClaimKey]:
    params = parameters(endings, worker=worker)
    cursor = watch(connection.execute, sql.FINISH, params, prepare=True)
    return {(task_id, claim_number) for task_id, claim_number, *_ in cursor.fetchall()}
