"""Finisher: records endings in groups; those that come while one statement runs share the next."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from tasks import sql
from tasks.error_text import detail_of
from tasks.lifecycle.ending import (
    RELEASED,
    Claim,
    ClaimKey,
    Ending,
    follow_ups,
    parameters,
    unstorable,
)
from tasks.lifecycle.preparation import submit_params, submit_statement
from tasks.lifecycle.telemetry import emit_ended
from tasks.models import Status
from tasks.postgres.failures import is_outage, is_outage_or_may_pass, may_pass
from tasks.worker.session import Session

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
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0


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
    tries: int = 0


class Finisher:
    """Records the endings of one worker process."""

    def __init__(self, *, session: Session, worker: str, held: set[ClaimKey]) -> None:
        self._session = session
        self._worker = worker
        self._held = held
        self._counting = threading.Lock()
        self._waiting: deque[Ending] = deque()
        self._large: deque[Ending] = deque()
        self._waiting_bytes = 0
        # Written alone, because the group was refused.
        self._alone: list[_Alone] = []
        # By their identity: all endings that are not recorded yet.
        self._unrecorded: dict[int, Ending] = {}
        self._wake = asyncio.Event()
        self._written = asyncio.Condition()
        self.processed = 0
        self.failed = 0

    async def add(self, endings: Sequence[Ending]) -> None:
        """Add endings to be recorded soon; wait only when too many, or too large ones, wait."""
        self._put(endings)
        if len(self._unrecorded) > WAITING_LIMIT or self._waiting_bytes > WAITING_BYTES:
            await self._until(
                lambda: (
                    len(self._unrecorded) <= WAITING_LIMIT and self._waiting_bytes <= WAITING_BYTES
                )
            )

    async def finish(self, endings: Sequence[Ending]) -> None:
        """Record endings; return when committed, or discarded because the claim was lost."""
        self._put(endings)
        added = {id(ending) for ending in endings}
        await self._until(lambda: self._unrecorded.keys().isdisjoint(added))

    async def flush(self) -> None:
        """Return when all endings are recorded."""
        await self._until(lambda: not self._unrecorded)

    async def run(self) -> None:
        """Record what waits, group after group; never returns; raises Unrecordable."""
        while True:
            await self._until_due()
            for group in (self._take_group(), self._take_large()):
                if group:
                    await self._record(group)
                    await self._notify()
            for alone in [each for each in self._alone if each.at <= time.monotonic()]:
                self._alone.remove(alone)
                await self._record_alone(alone)
                await self._notify()

    def unrecorded(self) -> list[Ending]:
        """Return the endings that are not recorded yet."""
        return list(self._unrecorded.values())

    async def close(self) -> None:
        """Close the connection."""
        await self._session.close()

    def count(self, endings: Sequence[Ending]) -> None:
        """Count recorded endings for the worker's row; called from any thread."""
        with self._counting:
            self.processed += sum(ending.outcome != RELEASED for ending in endings)
            self.failed += sum(ending.status == Status.FAILED for ending in endings)

    async def write(
        self,
        endings: list[Ending],
        *,
        is_passing: Callable[[psycopg.Error], bool] = is_outage_or_may_pass,
    ) -> set[ClaimKey]:
        """Write endings, and return those whose claim was not lost.

        Runs until the database answers: the fence makes a second run harmless.
        """

        async def write(connection: psycopg.AsyncConnection[Any]) -> set[ClaimKey]:
            if not any(ending.follow_ups for ending in endings):
                return await self._finish(connection, endings)
            async with connection.transaction():
                finished = await self._finish(connection, endings)
                recorded = (ending for ending in endings if ending.claim.key in finished)
                if new := follow_ups(recorded):
                    await connection.execute(submit_statement(new), submit_params(new))
            return finished

        return await self._session.run_until_answered(write, is_passing=is_passing)

    def _put(self, endings: Sequence[Ending]) -> None:
        if endings:
            for ending in endings:
                size = ending.size
                (self._waiting if size <= LARGE_BYTES else self._large).append(ending)
                self._waiting_bytes += size
            self._unrecorded.update((id(ending), ending) for ending in endings)
            self._wake.set()

    async def _until(self, condition: Callable[[], bool]) -> None:
        async with self._written:
            await self._written.wait_for(condition)

    async def _notify(self) -> None:
        async with self._written:
            self._written.notify_all()

    async def _until_due(self) -> None:
        """Wait for an ending to record."""
        if not self._alone:
            await self._wake.wait()
            return
        pause = max(0.0, min(alone.at for alone in self._alone) - time.monotonic())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), pause)

    def _take_group(self) -> list[Ending]:
        """Take small endings that are written together."""
        group: list[Ending] = []
        size = 0
        while self._waiting and len(group) < GROUP_LIMIT and size < GROUP_BYTES:
            ending = self._waiting.popleft()
            group.append(ending)
            size += ending.size
        self._taken(size)
        return group

    def _take_large(self) -> list[Ending]:
        if not self._large:
            return []
        ending = self._large.popleft()
        self._taken(ending.size)
        return [ending]

    def _taken(self, size: int) -> None:
        self._waiting_bytes -= size
        if not self._waiting and not self._large:
            self._wake.clear()

    async def _record(self, group: list[Ending]) -> None:
        """Write a group; an ending that is refused costs only itself."""
        try:
            finished = await self.write(group, is_passing=is_outage)
        except Exception as error:
            log.warning(
                "the database refused a group of endings; each is written separately",
                extra={"count": len(group), "error": detail_of(error)},
            )
            self._alone += [_Alone(ending) for ending in group]
            return
        self._recorded(group, group, finished)

    async def _record_alone(self, alone: _Alone) -> None:
        """Write one ending, or put it off while that may help."""
        ending = alone.ending
        try:
            written, finished = ending, await self.write([ending], is_passing=is_outage)
        except Exception as error:
            alone.tries += 1
            if may_pass(error) and alone.tries < ALONE_TRIES:
                alone.at = time.monotonic() + _pause(alone.tries)
                self._alone.append(alone)
                return
            log.exception(
                "could not store the outcome of an attempt; the task fails",
                extra={"task_id": str(ending.claim.id)},
            )
            written = unstorable(ending, error)
            try:
                finished = await self.write([written])
            except Exception as refusal:
                raise Unrecordable(ending.claim) from refusal
        self._recorded([ending], [written], finished)

    def _recorded(
        self, endings: list[Ending], written: list[Ending], finished: set[ClaimKey]
    ) -> None:
        """Note that endings were recorded as written, or discarded as their claim was lost."""
        for ending in endings:
            del self._unrecorded[id(ending)]
        self._held.difference_update(ending.claim.key for ending in endings)
        recorded = [ending for ending in written if ending.claim.key in finished]
        self.count(recorded)
        for ending in recorded:
            emit_ended(ending)

    async def _finish(
        self, connection: psycopg.AsyncConnection[Any], endings: list[Ending]
    ) -> set[ClaimKey]:
        params = parameters(endings, worker=self._worker)
        cursor = await connection.execute(sql.FINISH, params, prepare=True)
        return {(task_id, claim_number) for task_id, claim_number, *_ in await cursor.fetchall()}


def _pause(tries: int) -> float:
    """Return the seconds until the next try, with jitter."""
    longest: float = min(_FIRST_PAUSE * 2.0**tries, _LONGEST_PAUSE)
    return longest * (0.5 + random.random() / 2)  # noqa: S311
