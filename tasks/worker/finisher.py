"""Records endings in groups: those that come while one statement runs share the next."""

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
# More endings than this make those wait that bring others.
ROOM = 1_000


class Finisher:
    """One process's door out of PROCESSING."""

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
        """Take endings to be recorded soon; waits only when too many wait already."""
        self._put(endings)
        if self._added - self._done > ROOM:
            await self.flush(but=ROOM)

    async def finish(self, endings: Sequence[Ending]) -> None:
        """Record endings; returns when they are committed, or found to be nobody's business."""
        self._put(endings)
        if endings:
            await self.flush()

    async def flush(self, *, but: int = 0) -> None:
        """Return when what was given so far, but for so many, is recorded."""
        wanted = self._added - but
        async with self._written:
            await self._written.wait_for(lambda: self._done >= wanted)

    async def run(self) -> None:
        """Record what waits, group after group, for ever."""
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
            self.processed += sum(one.outcome != RELEASED for one in endings)
            self.failed += sum(one.status == Status.FAILED for one in endings)

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
            log.exception("an ending was refused", extra={"task_id": str(endings[0].claim.id)})
            endings = [unstorable(endings[0], error)]
            finished = await self._write(endings)
        recorded = [one for one in endings if one.claim.key in finished]
        self.count(recorded)
        # Ours no longer, whether this was recorded or found to be another's.
        self._held.difference_update(one.claim.key for one in endings)
        for ending in recorded:
            emit_ended(ending)

    async def _write(self, endings: list[Ending]) -> set[ClaimKey]:
        """Run the finish until the database answers: the fence makes a second run harmless."""

        async def write(connection: psycopg.AsyncConnection[Any]) -> set[ClaimKey]:
            if not any(one.follow_ups for one in endings):
                return await self._finish(connection, endings)
            async with connection.transaction():
                finished = await self._finish(connection, endings)
                if new := follow_ups(one for one in endings if one.claim.key in finished):
                    await connection.execute(sql.SUBMIT, submit_params(new))
            return finished

        return await self._session.run_until_answered(write)

    async def _finish(
        self, connection: psycopg.AsyncConnection[Any], endings: list[Ending]
    ) -> set[ClaimKey]:
        wanted = parameters(endings, worker=self._worker)
        cursor = await connection.execute(sql.FINISH, wanted, prepare=True)
        return {(task_id, claim_number) for task_id, claim_number, *_ in await cursor.fetchall()}
