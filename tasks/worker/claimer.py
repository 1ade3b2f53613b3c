"""Claimer: takes tasks from the queue in batches and hands them out as units."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from django.conf import settings

from tasks import kinds, sql
from tasks.lanes import RETRY_SHARE, retry_share
from tasks.lifecycle.ending import Claim, ClaimKey, released
from tasks.worker.finisher import Finisher
from tasks.worker.prefetch import Prefetch
from tasks.worker.session import Session
from tasks.worker.units import Pace, Unit

log = logging.getLogger(__name__)

# Seconds after which a claim that has not begun is released.
BUFFER_LIMIT = 1.0
COUNT_LANES_SECONDS = 1.0
# The share of a full claim for jobs below the highest priority.
LOW_SHARE = 0.05
STAGE_LIMIT = 1_000
# The most seconds between two looks for scheduled jobs that are due.
STAGE_EVERY = 0.25
# The fewest seconds between two looks for scheduled jobs that are due.
SOON = 0.005
# Seconds after which a claim that came back empty is repeated once: a job that was committed at
# that moment may not have been announced, because other jobs still waited.
LOOK_AGAIN = 0.02
# The lanes are counted only so far: a larger number would hardly change the share.
LANE_LIMIT = 10_000


class Claimer:
    """The buffer between the queue and the slots of one worker process."""

    def __init__(
        self,
        *,
        session: Session,
        worker_id: int,
        queues: Sequence[str] | None,
        slots: int,
        pace: Pace,
        finisher: Finisher,
        held: set[ClaimKey],
        on_due: Callable[[], None],
    ) -> None:
        self._session = session
        self._worker_id = worker_id
        self._queues = list(queues) if queues else None
        self._prefetch = Prefetch(first_claim=slots)
        self._pace = pace
        self._finisher = finisher
        self._held = held
        self._on_due = on_due
        self._ahead: asyncio.Task[None] | None = None
        self._waking: asyncio.TimerHandle | None = None
        self._stage_at = 0.0
        self._buffer: deque[Claim] = deque()
        self._claimed_at = 0.0
        self._uncertain = False
        self._claimed_some = False
        self._retry_ratio = RETRY_SHARE
        self._count_lanes_at = 0.0
        self._notified = False
        self._closed = False

    async def next_unit(self, *, free: int) -> Unit | None:
        """Return work for one slot, or None when nothing waits.

        Claims when the buffer is empty, or ahead, while the slots run the rest of it.
        """
        if self._ahead and (self._ahead.done() or not self._buffer):
            await self._await_ahead()
        if not self._buffer and not self._closed:
            await self._refill(max(free, 1))
        if self._closed or not self._buffer:
            return None
        unit = self._cut()
        if not self._ahead and self._prefetch.is_due(len(self._buffer)):
            self._ahead = asyncio.create_task(self._refill(1))
        return unit

    def notify(self) -> None:
        """Note that new jobs may wait."""
        self._notified = True

    def stop_claiming(self) -> None:
        """Claim nothing more."""
        self._closed = True

    async def stop(self) -> None:
        """Claim nothing more, and release the claims that have not begun."""
        self.stop_claiming()
        await self._await_ahead()
        await self.release()

    async def close(self) -> None:
        """Close the connection."""
        if self._waking:
            self._waking.cancel()
        await self._session.close()

    def put_back(self, claims: Sequence[Claim]) -> None:
        """Put claims that have not begun back at the front of the buffer."""
        self._buffer.extendleft(reversed(claims))

    async def release(self) -> None:
        """Release every claim in the buffer."""
        claims, self._buffer = self._buffer, deque()
        await self._finisher.finish([released(claim) for claim in claims])

    async def release_overdue(self) -> None:
        """Release claims that have waited too long behind slower work."""
        if self._buffer and time.monotonic() - self._claimed_at > BUFFER_LIMIT:
            self._prefetch.reset()
            await self.release()

    def _cut(self) -> Unit:
        """Cut a unit from the front of the buffer: tasks of one kind that may share a hand-over."""
        first = self._buffer.popleft()
        kind = kinds.get(first.kind)
        claims = [first]
        if first.deaths:
            # A task that may have ended a worker runs alone.
            return Unit(kind, claims)
        size = self._pace.unit_size(kind.name, batchable=kind.batchable)
        while self._buffer and len(claims) < size and _may_share(first, self._buffer[0]):
            claims.append(self._buffer.popleft())
        return Unit(kind, claims)

    async def _refill(self, least: int) -> None:
        began = time.monotonic()
        limit = self._prefetch.size(least=least, now=began, processed=self._finisher.processed)
        try:
            if self._uncertain:
                await self._release_unknown()
            claims = await self._look(limit)
            # A notification that came during an empty claim has woken no slot.
            while not claims and self._notified and not self._closed:
                claims = await self._look(limit)
        except psycopg.Error as error:
            # The claim may have been committed although its result was lost.
            self._uncertain = True
            log.warning(
                "could not claim tasks; trying again", extra={"error": type(error).__name__}
            )
            return
        self._claimed_at = time.monotonic()
        self._prefetch.claimed(
            self._claimed_at - began,
            is_full=len(claims) == limit,
            now=self._claimed_at,
            processed=self._finisher.processed,
        )
        self._buffer.extend(claims)
        if self._claimed_some and not claims:
            asyncio.get_running_loop().call_later(LOOK_AGAIN, self._on_due)
        self._claimed_some = bool(claims)
        if self._closed:
            await self.release()

    async def _look(self, limit: int) -> list[Claim]:
        notified, self._notified = self._notified, False
        if notified or time.monotonic() >= self._stage_at:
            await self._stage()
        return await self._claim(limit)

    async def _await_ahead(self) -> None:
        """Await the claim that was sent ahead; raise what it raised."""
        if ahead := self._ahead:
            await asyncio.wait({ahead})
            self._ahead = None
            ahead.result()

    async def _stage(self) -> None:
        """Stage scheduled jobs that are due, and set a timer for the next one."""
        ((due_in,),) = await self._session.rows(sql.STAGE, {"limit": STAGE_LIMIT})
        wait = STAGE_EVERY if due_in is None else min(max(due_in, SOON), STAGE_EVERY)
        self._stage_at = time.monotonic() + wait
        if self._waking:
            self._waking.cancel()
        if due_in is not None and due_in < settings.POLL_SECONDS:
            loop = asyncio.get_running_loop()
            self._waking = loop.call_later(max(due_in, SOON), self._on_due)

    async def _retry_share(self, limit: int) -> int:
        """Return how many jobs of a full claim come from the retry lane."""
        now = time.monotonic()
        if now > self._count_lanes_at:
            self._count_lanes_at = now + COUNT_LANES_SECONDS
            ((primary, retry),) = await self._session.rows(sql.LANES, {"limit": LANE_LIMIT})
            self._retry_ratio = retry_share(primary=primary, retry=retry)
        return _by_chance(limit * self._retry_ratio)

    async def _claim(self, limit: int) -> list[Claim]:
        params = {
            "worker": self._worker_id,
            "queues": self._queues,
            "limit": limit,
            "retry_share": await self._retry_share(limit),
            "low_share": _by_chance(limit * LOW_SHARE),
            "task_names": [f"task:{name}" for name in kinds.all_kinds()],
        }
        rows = await self._session.rows(sql.CLAIM, params)
        claims = [claim_of(row) for row in rows]
        self._held.update(claim.key for claim in claims)
        return claims

    async def _release_unknown(self) -> None:
        """Release what a claim took although its result was lost: none of it has begun."""
        rows = await self._session.rows(sql.HELD, {"worker": self._worker_id})
        unknown = [claim for row in rows if (claim := claim_of(row)).key not in self._held]
        await self._finisher.finish([released(claim) for claim in unknown])
        self._uncertain = False


def _by_chance(share: float) -> int:
    """Round by chance, so that a share of less than one slot is kept over time."""
    return int(share + random.random())  # noqa: S311


def _may_share(first: Claim, other: Claim) -> bool:
    return other.kind == first.kind and not other.deaths


def claim_of(row: Sequence[Any]) -> Claim:
    """Return the claim in a row of `claim.sql` or `held.sql`."""
    task_id, job_id, kind, owner_id, task_input, attempt, max_attempts, claim_number, deaths = row
    return Claim(
        id=task_id,
        job_id=job_id,
        kind=kind,
        owner_id=owner_id,
        input=task_input,
        attempt=attempt,
        max_attempts=max_attempts,
        claim_number=claim_number,
        deaths=deaths,
    )
