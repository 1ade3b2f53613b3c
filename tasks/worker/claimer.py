"""Claimer: a thread that takes tasks from the queue in batches, for the slots of its process."""

from __future__ import annotations

import logging
import os
import random
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress

import psycopg
from django.conf import settings

from tasks import kinds, lifecycle, sql
from tasks.counts import CLAIMED, counts
from tasks.lanes import RETRY_SHARE, retry_share
from tasks.lifecycle.ending import Claim, ClaimKey, released
from tasks.worker.buffer import Buffer
from tasks.worker.finisher import Finisher
from tasks.worker.prefetch import Prefetch
from tasks.worker.session import Pauses, Session
from tasks.worker.siblings import Member, Waiter

log = logging.getLogger(__name__)

# Seconds after which a claim that has not begun is released.
BUFFER_LIMIT = 1.0
COUNT_LANES_SECONDS = 1.0
# The share of a full claim for jobs below the highest priority.
LOW_SHARE = 0.05
# Seconds after a claim that took all that waited until another look, and from there until the last:
# a job that was committed in that moment may not have been announced, because others still waited.
LOOK_AGAIN = (0.005, 0.02)
# The lanes are counted only so far: a larger number would hardly change the share.
LANE_LIMIT = 10_000


class Claimer:
    """Fills the buffer of one worker process while its slots need claims and jobs may wait."""

    def __init__(
        self,
        *,
        worker_id: int,
        queues: Sequence[str] | None,
        buffer: Buffer,
        finisher: Finisher,
        held: set[ClaimKey],
        member: Member,
        on_cancel: Callable[[uuid.UUID], None],
    ) -> None:
        self._session = Session("claim")
        self._worker_id = worker_id
        self._queues = list(queues) if queues else None
        self._prefetch = Prefetch(multiplier=settings.WORKER_PREFETCH_MULTIPLIER)
        self._buffer = buffer
        self._finisher = finisher
        self._held = held
        self._member = member
        self._on_cancel = on_cancel
        self._task_names = [f"task:{name}" for name in kinds.all_kinds()]
        # Another thread writes a byte to wake this one.
        self._wakes, self._wake_end = os.pipe()
        for end in (self._wakes, self._wake_end):
            os.set_blocking(end, False)
        own = [self._wakes, member.cancels_reader]
        self._busy, self._idle = Waiter(own), Waiter(own, shared=member.jobs_reader)
        # Whether jobs may wait that no claim has seen.
        self._may_wait = True
        # Whether a slot waits, and so an announcement of jobs is for this process too.
        self._has_room = False
        # By the monotonic clock: when to look without an announcement.
        self._look_at = 0.0
        # The pauses before the looks after that one; after the last comes the poll.
        self._looks: list[float] = []
        # Whether this is a look without an announcement.
        self._is_looking = False
        self._claimed_at = 0.0
        # Whether the database may have claims of this worker that it does not know of.
        self._is_uncertain = False
        # Only then lanes compete.
        self._was_full = False
        self._retry_ratio = RETRY_SHARE
        self._count_lanes_at = 0.0
        self._closed = threading.Event()
        # For the worker's row: how many claims it sent, and how long they took.
        self.claims = 0
        self.claim_seconds = 0.0

    def run(self) -> None:
        """Claim until stopped: the thread's main loop. Raises what is no error of the database."""
        pauses = Pauses()
        while not self._closed.is_set():
            if not self._is_uncertain and not self._is_needed():
                self._wait()
                continue
            try:
                if self._is_uncertain:
                    self._release_unknown()
                else:
                    self._refill()
                pauses = Pauses()
            except psycopg.Error as error:
                # The claim may have been committed although its result was lost.
                self._is_uncertain = True
                log.warning(
                    "could not claim tasks; trying again", extra={"error": type(error).__name__}
                )
                self._closed.wait(pauses.next())
        self.release()
        self._session.close()

    def wake(self) -> None:
        """Look whether slots need claims; called from any thread."""
        with suppress(BlockingIOError):  # so many bytes wait that it will wake
            os.write(self._wake_end, b"x")

    def compare(self, claims: set[ClaimKey]) -> None:
        """Compare with the claims in the database, in the lease's thread; look closer if in doubt.

        A claim may be committed long after its connection broke, when what it waited for is done.
        """
        if not claims <= self._held:
            self._is_uncertain = True
            self.wake()

    def stop(self) -> None:
        """Claim nothing more, and release the claims that have not begun."""
        self._closed.set()
        self._buffer.close()
        self.wake()
        self.release()

    def release(self) -> None:
        """Release every claim that has not begun."""
        self._finisher.put([released(claim) for claim in self._buffer.drain()])

    def release_overdue(self) -> None:
        """Release claims that have waited too long behind slower work."""
        if len(self._buffer) and time.monotonic() - self._claimed_at > BUFFER_LIMIT:
            self._prefetch.reset()
            self.release()

    def _is_needed(self) -> bool:
        """Return whether to claim now; otherwise the buffer reports when it runs low."""
        if not self._may_wait and time.monotonic() >= self._look_at:
            self._may_wait = self._is_looking = True
        if self._may_wait:
            return self._buffer.report_low(self._prefetch.low)
        self._has_room = self._buffer.report_low(0)
        return False

    def _wait(self) -> None:
        """Wait for an announcement, for the buffer to run low, or for the next look."""
        waiter, pause = self._busy, None
        if not self._may_wait:
            waiter = self._idle if self._has_room else self._busy
            pause = max(self._look_at - time.monotonic(), 0.0)
        ready = waiter.wait(pause)
        if self._wakes in ready:
            os.read(self._wakes, 4096)
        if self._member.cancels_reader in ready:
            for task_id in self._member.take_cancels():
                self._on_cancel(task_id)
        if self._member.jobs_reader in ready and self._member.take_jobs():
            self._may_wait = True

    def _refill(self) -> None:
        is_looking, self._is_looking = self._is_looking, False
        if is_looking and not self._is_job_waiting():
            self._may_wait = False
            self._look_later()
            return
        began = time.monotonic()
        limit = self._prefetch.size(
            least=max(self._buffer.free(), 1), now=began, processed=self._finisher.processed
        )
        claims = self._claim(limit)
        now = self._claimed_at = time.monotonic()
        self._count_claim(now - began)
        self._may_wait = self._was_full = len(claims) == limit
        owners = len({claim.owner_id for claim in claims})
        self._prefetch.claimed(now - began, is_full=self._was_full, owners=owners)
        self._buffer.put(claims)
        if self._was_full:
            self._member.pass_on()
        if claims:
            self._looks = list(LOOK_AGAIN)
        self._look_later()

    def _count_claim(self, seconds: float) -> None:
        self.claims += 1
        self.claim_seconds += seconds
        counts.observe(CLAIMED, seconds=[seconds])

    def _is_job_waiting(self) -> bool:
        ((is_waiting, is_due),) = self._session.rows(sql.IS_WAITING, {})
        if is_due and not self._looks:
            # The leader stages when jobs are due; this is for when it cannot.
            lifecycle.stage(self._session.rows)
            return True
        return bool(is_waiting)

    def _look_later(self) -> None:
        pause = self._looks.pop(0) if self._looks else settings.POLL_SECONDS
        self._look_at = time.monotonic() + pause

    def _retry_share(self, limit: int) -> int:
        """Return how many jobs of a full claim come from the retry lane."""
        now = time.monotonic()
        if self._was_full and now > self._count_lanes_at:
            self._count_lanes_at = now + COUNT_LANES_SECONDS
            ((primary, retry),) = self._session.rows(sql.LANES, {"limit": LANE_LIMIT})
            self._retry_ratio = retry_share(primary=primary, retry=retry)
        return _by_chance(limit * self._retry_ratio)

    def _claim(self, limit: int) -> list[Claim]:
        params = {
            "worker": self._worker_id,
            "queues": self._queues,
            "limit": limit,
            "retry_share": self._retry_share(limit),
            "low_share": _by_chance(limit * LOW_SHARE),
            "task_names": self._task_names,
        }
        claims = [Claim(*row) for row in self._session.rows(sql.CLAIM, params)]
        self._held.update(claim.key for claim in claims)
        return claims

    def _release_unknown(self) -> None:
        """Release what a claim took although its result was lost: none of it has begun."""
        rows = self._session.rows(sql.HELD, {"worker": self._worker_id})
        unknown = [claim for row in rows if (claim := Claim(*row)).key not in self._held]
        self._finisher.put([released(claim) for claim in unknown])
        self._is_uncertain = False


def _by_chance(share: float) -> int:
    """Round by chance, so that a share of less than one slot is kept over time."""
    return int(share + random.random())  # noqa: S311
