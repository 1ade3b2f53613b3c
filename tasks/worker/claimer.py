"""Takes tasks from the queue in batches and hands them out as units."""

from __future__ import annotations

import logging
import random
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

import psycopg

from tasks import kinds, sql
from tasks.ending import Claim, ClaimKey, released
from tasks.stats import RETRY_SHARE, retry_share
from tasks.worker.finisher import Finisher
from tasks.worker.session import Session
from tasks.worker.units import Pace, Unit

log = logging.getLogger(__name__)

LARGEST_CLAIM = 500
# A full claim that is used up sooner makes the next one larger; later, smaller. Seconds.
QUICK = 0.05
SLOW = 0.2
# A claim that has not begun after this long is given back for others to take.
BUFFER_LIMIT = 1.0
COUNT_LANES_SECONDS = 1.0
# What waits below the highest priority has this part of a full claim.
LOW_SHARE = 0.05
STAGE_LIMIT = 1_000
# Counting further would cost more than it tells.
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
    ) -> None:
        self._session = session
        self._worker_id = worker_id
        self._queues = list(queues) if queues else None
        self._slots = slots
        self._pace = pace
        self._finisher = finisher
        self._held = held
        self._buffer: deque[Claim] = deque()
        self._limit = slots
        self._claimed_at = 0.0
        self._last_was_full = False
        self._uncertain = False
        self._retry_ratio = RETRY_SHARE
        self._count_lanes_at = 0.0
        self.notified = False
        self.closed = False

    async def next_unit(self, *, free: int) -> Unit | None:
        """Return work for one slot, claimed when the buffer is empty; None if there is none."""
        if not self._buffer and not self.closed:
            await self._refill(max(free, 1))
        # Asked again: the worker may have been told to stop while the database answered.
        if self.closed:
            await self.release()
        return self._cut() if self._buffer else None

    async def close(self) -> None:
        """Close the connection."""
        await self._session.close()

    def give_back(self, claims: Sequence[Claim]) -> None:
        """Put claims that have not begun in front again."""
        self._buffer.extendleft(reversed(claims))

    async def release(self) -> None:
        """Hand everything in the buffer back to the queue."""
        claims, self._buffer = self._buffer, deque()
        await self._finisher.finish([released(claim) for claim in claims])

    async def release_overdue(self) -> None:
        """Hand back what has waited too long behind slower work."""
        if self._buffer and time.monotonic() - self._claimed_at > BUFFER_LIMIT:
            self._limit = self._slots
            await self.release()

    def _cut(self) -> Unit:
        """Cut a unit from the front of the buffer: tasks of one kind that may share a hop."""
        first = self._buffer.popleft()
        claims = [first]
        if first.deaths:
            # A suspect shares its hop with nobody.
            return Unit(claims)
        size = self._pace.unit_size(first.kind, batchable=kinds.get(first.kind).batchable)
        while self._buffer and len(claims) < size and _may_share(first, self._buffer[0]):
            claims.append(self._buffer.popleft())
        return Unit(claims)

    async def _refill(self, free: int) -> None:
        self._adapt()
        limit = max(free, self._limit)
        try:
            if self._uncertain:
                await self._release_unknown()
            await self._session.rows(sql.STAGE, {"limit": STAGE_LIMIT})
            self.notified = False
            claims = await self._claim(limit)
            if not claims and self.notified:
                # Something came while the empty answer was on its way.
                claims = await self._claim(limit)
        except psycopg.Error as error:
            # The claim may have been committed although its answer was lost.
            self._uncertain = True
            log.warning("claim failed", extra={"error": type(error).__name__})
            return
        self._claimed_at = time.monotonic()
        self._last_was_full = len(claims) == limit
        self._buffer.extend(claims)

    def _adapt(self) -> None:
        """Bound the next claim by how long the last one lasted."""
        lasted = time.monotonic() - self._claimed_at
        if self._last_was_full and lasted < QUICK:
            self._limit = min(self._limit * 2, LARGEST_CLAIM)
        elif lasted > SLOW:
            self._limit = max(self._limit // 2, 1)

    async def _retry_share(self, limit: int) -> int:
        """Return how much of a full claim is the retry lane's."""
        now = time.monotonic()
        if now > self._count_lanes_at:
            self._count_lanes_at = now + COUNT_LANES_SECONDS
            ((fresh, tried),) = await self._session.rows(sql.LANES, {"limit": LANE_LIMIT})
            self._retry_ratio = retry_share(primary=fresh, retry=tried)
        return _by_chance(limit * self._retry_ratio)

    async def _claim(self, limit: int) -> list[Claim]:
        wanted = {
            "worker": self._worker_id,
            "queues": self._queues,
            "limit": limit,
            "retry_share": await self._retry_share(limit),
            "low_share": _by_chance(limit * LOW_SHARE),
            "task_names": [f"task:{name}" for name in kinds.all_kinds()],
        }
        # Planned each time, for 2 ms: a plan made while little waited, or without knowing the
        # limit, reads all that waits.
        rows = await self._session.rows(sql.CLAIM, wanted, prepare=False)
        claims = [_claim(row) for row in rows]
        self._held.update(claim.key for claim in claims)
        return claims

    async def _release_unknown(self) -> None:
        """Hand back what a claim without an answer took in our name: it never began."""
        rows = await self._session.rows(sql.HELD, {"worker": self._worker_id})
        unknown = [claim for row in rows if (claim := _claim(row)).key not in self._held]
        await self._finisher.finish([released(claim) for claim in unknown])
        self._uncertain = False


def _by_chance(share: float) -> int:
    """Round by chance, so that a share of less than one slot is kept over time."""
    return int(share + random.random())  # noqa: S311


def _may_share(first: Claim, other: Claim) -> bool:
    return other.kind == first.kind and not other.deaths


def _claim(row: Sequence[Any]) -> Claim:
    task_id, job_id, kind, owner_id, given, attempt, max_attempts, lease, deaths = row
    return Claim(
        id=task_id,
        job_id=job_id,
        kind=kind,
        owner_id=owner_id,
        input=given,
        attempt=attempt,
        max_attempts=max_attempts,
        lease=lease,
        deaths=deaths,
    )
