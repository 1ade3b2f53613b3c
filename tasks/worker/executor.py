"""Executor: runs handlers in the threads of slots, and turns what they do into endings."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from django.db import close_old_connections, connections

from tasks import kinds, tracing
from tasks.kinds.context import Context
from tasks.kinds.exceptions import CANCELLED_ON_REQUEST, Cancel
from tasks.lifecycle.ending import (
    Claim,
    ClaimKey,
    Ending,
    interrupted,
    raised,
    timed_out,
    unexplained,
)
from tasks.lifecycle.spans import begin_attempt, end_attempt, prepare_follow_up
from tasks.lifecycle.telemetry import emit_started
from tasks.worker.attempt import attempt
from tasks.worker.buffer import Buffer
from tasks.worker.finisher import Finisher
from tasks.worker.isolation import Isolation
from tasks.worker.slot import Running, Slot

log = logging.getLogger(__name__)

# Seconds between two looks whether a slot's connections to databases are too old.
CONNECTIONS_SECONDS = 1.0


class Executor:
    """The slots of one worker process; to be used by its event loop."""

    def __init__(
        self,
        *,
        concurrency: int,
        worker: str,
        buffer: Buffer,
        finisher: Finisher,
        isolation: Isolation,
        recycle: Callable[[], None],
    ) -> None:
        self._threads = ThreadPoolExecutor(concurrency, thread_name_prefix="slot")
        self._worker = worker
        self._buffer = buffer
        self._finisher = finisher
        self._isolation = isolation
        self._recycle = recycle
        self._to_cancel: set[ClaimKey] = set()
        self._is_stopping = False
        self.slots: dict[int, Slot] = {}

    def add_slot(self) -> int:
        """Add a slot; return its number."""
        slot = Slot()
        self.slots[slot.number] = slot
        return slot.number

    async def run(self, number: int) -> None:
        """Run a slot until it has nothing more to do, or is given up."""
        slot = self.slots[number]
        work = asyncio.get_running_loop().run_in_executor(self._threads, self._work, slot)
        await asyncio.wait({work, slot.given_up}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            work.result()

    def close(self, number: int) -> None:
        """Remove a slot; end the attempt that still runs in it."""
        slot = self.slots.pop(number)
        self._buffer.remove_slot()
        if running := slot.take_current():
            ending = self._end_of_abandoned(running)
            if running.span is not None:
                end_attempt(running.span, ending, worker=self._worker)
            self._finisher.put([ending])

    def give_up_overdue(self) -> None:
        """Give up the slots with an attempt past its hard limit.

        A thread cannot be killed: its process is replaced once the others are done.
        """
        for slot in self.slots.values():
            if slot.is_overdue() and not slot.given_up.done():
                slot.given_up.set_result(None)
                self._recycle()

    def running(self) -> list[Running]:
        """Return the attempts that run now; called from any thread."""
        currents = [slot.current for slot in list(self.slots.values())]
        return [running for running in currents if running]

    def cancel(self, claims: set[ClaimKey]) -> None:
        """Request that these attempts stop, also those that are claimed but have not begun."""
        self._to_cancel = claims
        for running in self.running():
            if running.claim.key in claims:
                running.context.cancelled = True

    def interrupt(self) -> None:
        """Notify every running handler that the worker must stop."""
        self._is_stopping = True
        for running in self.running():
            running.context.interrupted = True

    def _work(self, slot: Slot) -> None:
        """Run one claim after another; the body of a slot's thread."""
        looked_at = 0.0
        claim = self._buffer.take(is_new=True)
        while claim is not None:
            now = time.monotonic()
            if now - looked_at > CONNECTIONS_SECONDS:
                looked_at = now
                close_old_connections()
            slot.current = running = self._running(claim, now)
            emit_started(claim)
            ending = self._attempt(running)
            if ending:
                ending.ran = time.monotonic() - running.began
            with slot.lock:
                if slot.current is not running:
                    # The slot was given up, and the attempt with it.
                    return
                if running.span is not None:
                    end_attempt(running.span, ending, worker=self._worker)
                # The ending comes first: until then the attempt counts as running.
                if ending and not ending.recorded:
                    self._finisher.put([ending])
                else:
                    self._finisher.settle(claim, ending)
                slot.current = None
            self._finisher.wait_for_room()
            claim = self._buffer.take()
        connections.close_all()

    def _running(self, claim: Claim, now: float) -> Running:
        kind = kinds.get(claim.kind)
        context = Context(
            task_id=claim.id,
            attempt=claim.attempt,
            owner_id=claim.owner_id,
            soft_time_limit=kind.soft_time_limit,
            prepare=prepare_follow_up,
        )
        isolated = kind.isolation == "process" or claim.deaths > 0
        span = None
        if tracing.recorder is not None:
            span, claim = begin_attempt(tracing.recorder, claim)
        return Running(kind, claim, context, isolated, now, span)

    def _end_of_abandoned(self, running: Running) -> Ending:
        """End an attempt that is still running, or of which no ending is known."""
        if running.is_overdue():
            return timed_out(running.claim, running.kind)
        if self._is_stopping:
            return interrupted(running.claim)
        return unexplained(running.claim)

    def _attempt(self, running: Running) -> Ending | None:
        """Run an attempt; whatever fails, also in the engine, counts as its failure."""
        try:
            if self._to_cancel and running.claim.key in self._to_cancel:
                return raised(running.claim, running.kind, Cancel(CANCELLED_ON_REQUEST))
            if running.isolated:
                return self._isolation.run(running)
            if running.span is None:
                return attempt(running.kind, running.claim, running.context, worker=self._worker)
            with running.span.active():
                return attempt(running.kind, running.claim, running.context, worker=self._worker)
        except BaseException:
            log.exception(
                "the outcome of an attempt is unknown; the attempt counts as failed",
                extra={"task_id": str(running.claim.id)},
            )
            return unexplained(running.claim)
