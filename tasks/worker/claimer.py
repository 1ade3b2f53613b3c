"""Claimer: a thread that takes tasks from the queue in batches, for the slots of its process."""

from __future__ import annotations

import logging
import math
import os
import random
import select
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import psycopg
from django.conf import settings

from tasks import kinds, sql
from tasks.lanes import RETRY_SHARE, retry_share
from tasks.lifecycle.ending import Claim, ClaimKey, released
from tasks.worker import notices
from tasks.worker.buffer import Buffer
from tasks.worker.finisher import Finisher
from tasks.worker.prefetch import Prefetch
from tasks.worker.session import Pauses, Session, is_pooled

log = logging.getLogger(__name__)

# Seconds after which a claim that has not begun is released.
BUFFER_LIMIT = 1.0
COUNT_LANES_SECONDS = 1.0
# The share of a full claim for jobs below the highest priority.
LOW_SHARE = 0.05
STAGE_LIMIT = 1_000
# The fewest seconds between two looks for scheduled jobs that are due.
SOON = 0.005
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
        first_claim: int,
        buffer: Buffer,
        finisher: Finisher,
        held: set[ClaimKey],
        on_cancel: Callable[[uuid.UUID], None],
    ) -> None:
        self._session = Session("claim", on_open=self._listen)
        self._worker_id = worker_id
        self._queues = list(queues) if queues else None
        self._prefetch = Prefetch(first_claim=first_claim)
        self._buffer = buffer
        self._finisher = finisher
        self._held = held
        self._on_cancel = on_cancel
        self._task_names = [f"task:{name}" for name in kinds.all_kinds()]
        # Another thread writes a byte to wake this one.
        self._wakes, self._wake_end = os.pipe()
        for end in (self._wakes, self._wake_end):
            os.set_blocking(end, False)
        # Whether jobs may wait that no claim has seen.
        self._may_wait = True
        # By the monotonic clock: when to look without a notification, and when for scheduled jobs.
        self._look_at = math.inf
        # The pauses before the next looks.
        self._looks: list[float] = []
        self._stage_at = 0.0
        self._claimed_at = 0.0
        self._uncertain = False
        # Only then lanes compete.
        self._was_full = False
        self._retry_ratio = RETRY_SHARE
        self._count_lanes_at = 0.0
        self._closed = threading.Event()

    def run(self) -> None:
        """Claim until stopped: the thread's main loop. Raises what is no error of the database."""
        pauses = Pauses()
        while not self._closed.is_set():
            if not self._is_needed():
                self._wait()
                continue
            try:
                self._refill()
                pauses = Pauses()
            except psycopg.Error as error:
                # The claim may have been committed although its result was lost.
                self._uncertain = True
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
        now = time.monotonic()
        if now >= self._look_at or now >= self._stage_at:
            self._may_wait = True
        return self._buffer.report_low(self._prefetch.low if self._may_wait else None)

    def _wait(self) -> None:
        """Wait for a notification, for the buffer to run low, or for the next look."""
        poll = select.poll()
        poll.register(self._wakes, select.POLLIN)
        connection = self._session.connection
        if connection:
            poll.register(connection.fileno(), select.POLLIN)
        ready = poll.poll(self._milliseconds_to_wait())
        for descriptor, _ in ready:
            if descriptor == self._wakes:
                os.read(self._wakes, 4096)
            elif connection:
                self._receive(connection)

    def _milliseconds_to_wait(self) -> float | None:
        """Return how long to wait for an event; None where only an event makes a claim needed."""
        if self._may_wait:
            return None
        pause = min(self._look_at, self._stage_at) - time.monotonic()
        return max(0, math.ceil(pause * 1_000))

    def _receive(self, connection: psycopg.Connection[Any]) -> None:
        try:
            for channel, payload in notices.received(connection):
                self._notice(channel, payload)
        except psycopg.OperationalError as error:
            log.warning(
                "lost the connection for claims; opening another",
                extra={"error": str(error).strip()},
            )
            self._session.close()
            # Jobs may have come while nobody listened.
            self._may_wait = True

    def _listen(self, connection: psycopg.Connection[Any]) -> None:
        if not is_pooled():
            connection.add_notify_handler(
                lambda notify: self._notice(notify.channel, notify.payload)
            )
            notices.listen(connection)
        self._may_wait = True

    def _notice(self, channel: str, payload: str) -> None:
        said = notices.read(channel, payload)
        if isinstance(said, notices.JobsInserted):
            if said.concerns(self._queues):
                self._may_wait = True
                if said.is_scheduled:
                    self._stage_at = 0.0
        elif said:
            self._on_cancel(said)

    def _refill(self) -> None:
        began = time.monotonic()
        if self._uncertain:
            self._release_unknown()
        if began >= self._stage_at:
            self._stage()
        # A notification during the claim concerns jobs that the claim may not have seen.
        self._may_wait = False
        limit = self._prefetch.size(
            least=max(self._buffer.free(), 1), now=began, processed=self._finisher.processed
        )
        claims = self._claim(limit)
        now = self._claimed_at = time.monotonic()
        is_full = self._was_full = len(claims) == limit
        self._may_wait |= is_full
        if claims:
            self._looks = list(LOOK_AGAIN)
        self._look_at = now + (self._looks.pop(0) if self._looks else settings.POLL_SECONDS)
        self._prefetch.claimed(
            now - began, is_full=is_full, now=now, processed=self._finisher.processed
        )
        self._buffer.put(claims)

    def _stage(self) -> None:
        """Stage scheduled jobs that are due, and set the time for the next look."""
        ((due_in,),) = self._session.rows(sql.STAGE, {"limit": STAGE_LIMIT})
        # Jobs that are inserted meanwhile are announced when they are due sooner than that.
        longest = settings.POLL_SECONDS
        wait = longest if due_in is None else min(max(due_in, SOON), longest)
        self._stage_at = time.monotonic() + wait

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
        claims = [claim_of(row) for row in self._session.rows(sql.CLAIM, params)]
        self._held.update(claim.key for claim in claims)
        return claims

    def _release_unknown(self) -> None:
        """Release what a claim took although its result was lost: none of it has begun."""
        rows = self._session.rows(sql.HELD, {"worker": self._worker_id})
        unknown = [claim for row in rows if (claim := claim_of(row)).key not in self._held]
        self._finisher.put([released(claim) for claim in unknown])
        self._uncertain = False


def _by_chance(share: float) -> int:
    """Round by chance, so that a share of less than one slot is kept over time."""
    return int(share + random.random())  # noqa: S311


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
