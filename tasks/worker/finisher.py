"""Finisher: records endings in groups; those that come while one statement runs share the next."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Sequence
from typing import Any

import psycopg

from tasks import sql
from tasks.lifecycle.ending import RELEASED, ClaimKey, Ending, follow_ups, parameters, unstorable
from tasks.lifecycle.preparation import submit_params
from tasks.lifecycle.telemetry import emit_ended
from tasks.models import Status
from tasks.worker.session import Session

log = logging.getLogger(__name__)

GROUP_LIMIT = 500
# While more endings than this wait, adding others waits too.
WAITING_LIMIT = 1_000


class Finisher:
    """Records the endings of one worker process."""

    def __init__(self, *, session: Session, worker: str, held: set[ClaimKey]) -> None:
        self._session = session
        self._worker = worker
        self._held = held
        self._counting = threading.Lock()
        self._waiting: list[Ending] = []
        self._wake = asyncio.Event()
        self._written = asyncio.Condition()
        self._added = 0
        self._done = 0
        self.processed = 0
        self.failed = 0

    async def add(self, endings: Sequence[Ending]) -> None:
        """Add endings to be recorded soon; wait only when too many wait already."""
        self._put(endings)
        if self._added - self._done > WAITING_LIMIT:
            await self.flush(except_last=WAITING_LIMIT)

    async def finish(self, endings: Sequence[Ending]) -> None:
        """Record endings; return when committed, or discarded because the claim was lost."""
        self._put(endings)
        if endings:
            await self.flush()

    async def flush(self, *, except_last: int = 0) -> None:
        """Return when the endings added so far are recorded, except the last so many."""
        target = self._added - except_last
        async with self._written:
            await self._written.wait_for(lambda: self._done >= target)

    async def run(self) -> None:
        """Record what waits, group after group; never returns."""
        while True:
            await self._wake.wait()
            group, self._waiting = self._waiting[:GROUP_LIMIT], self._waiting[GROUP_LIMIT:]
            if not self._waiting:
                self._wake.clear()
            await self._record(group)
            async with self._written:
                self._done += len(group)
                self._written.notify_all()

    async def close(self) -> None:
        """Close the connection."""
        await self._session.close()

    def count(self, endings: Sequence[Ending]) -> None:
        """Count recorded endings for the worker's row; called from any thread."""
        with self._counting:
            self.processed += sum(ending.outcome != RELEASED for ending in endings)
            self.failed += sum(ending.status == Status.FAILED for ending in endings)

    def _put(self, endings: Sequence[Ending]) -> None:
        if endings:
            self._waiting += endings
            self._added += len(endings)
            self._wake.set()

    async def _record(self, endings: list[Ending]) -> None:
        """Write a group; a member that the database refuses costs only itself."""
        try:
            finished = await self._write(endings)
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            if len(endings) > 1:
                for ending in endings:
                    await self._record([ending])
                return
            log.exception(
                "the result of an attempt cannot be stored; the task fails",
                extra={"task_id": str(endings[0].claim.id)},
            )
            endings = [unstorable(endings[0], error)]
            finished = await self._write(endings)
        recorded = [ending for ending in endings if ending.claim.key in finished]
        self.count(recorded)
        # No longer held, whether recorded or discarded because the claim was lost.
        self._held.difference_update(ending.claim.key for ending in endings)
        for ending in recorded:
            emit_ended(ending)

    async def _write(self, endings: list[Ending]) -> set[ClaimKey]:
        """Run the finish until the database answers: the fence makes a second run harmless."""

        async def write(connection: psycopg.AsyncConnection[Any]) -> set[ClaimKey]:
            if not any(ending.follow_ups for ending in endings):
                return await self._finish(connection, endings)
            async with connection.transaction():
                finished = await self._finish(connection, endings)
                recorded = (ending for ending in endings if ending.claim.key in finished)
                if new := follow_ups(recorded):
                    await connection.execute(sql.SUBMIT, submit_params(new))
            return finished

        return await self._session.run_until_answered(write)

    async def _finish(
        self, connection: psycopg.AsyncConnection[Any], endings: list[Ending]
    ) -> set[ClaimKey]:
        params = parameters(endings, worker=self._worker)
        cursor = await connection.execute(sql.FINISH, params, prepare=True)
        return {(task_id, claim_number) for task_id, claim_number, *_ in await cursor.fetchall()}
