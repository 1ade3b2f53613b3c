"""Executor: runs handlers in threads, one unit a slot, and turns what they do into endings."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from django.db import close_old_connections

from tasks.kinds.context import Context
from tasks.kinds.exceptions import CANCELLED_ON_REQUEST, Cancel
from tasks.lifecycle.ending import (
    Claim,
    ClaimKey,
    Ending,
    interrupted,
    raised,
    released,
    timed_out,
    unexplained,
)
from tasks.lifecycle.preparation import prepare
from tasks.worker.attempt import attempt
from tasks.worker.finisher import Finisher
from tasks.worker.isolation import Isolation
from tasks.worker.units import Pace, Running, Unit

log = logging.getLogger(__name__)

# Seconds after which the members of a running unit that have not begun are put back.
PUT_BACK_SECONDS = 0.25
# Seconds past its hard limit after which a child counts as impossible to kill.
KILL_MARGIN = 15.0


class Executor:
    """The slots of one worker process."""

    def __init__(
        self,
        *,
        concurrency: int,
        worker: str,
        pace: Pace,
        finisher: Finisher,
        isolation: Isolation,
        put_back: Callable[[list[Claim]], None],
        recycle: Callable[[], None],
    ) -> None:
        self._threads = ThreadPoolExecutor(concurrency, thread_name_prefix="slot")
        self._worker = worker
        self._pace = pace
        self._finisher = finisher
        self._isolation = isolation
        self._put_back = put_back
        self._recycle = recycle
        self._to_cancel: set[ClaimKey] = set()
        self._is_stopping = False
        self.units: dict[int, Unit] = {}

    async def run(self, unit: Unit) -> None:
        """Run a unit to its end, or until its current member passes its hard limit."""
        self.units[unit.job_id] = unit
        work = asyncio.get_running_loop().run_in_executor(self._threads, self._work, unit)
        while not work.done():
            await asyncio.wait({work}, timeout=PUT_BACK_SECONDS)
            if not work.done():
                await self._look_after(unit)
            if self._is_overdue(unit):
                # A thread cannot be killed: its process is replaced once the others are done.
                self._recycle()
                return
        work.result()

    async def close(self, unit: Unit) -> None:
        """Pass the endings of the unit, and the claims that have not begun, to the finisher."""
        endings = [released(claim) for claim in unit.take_waiting()]
        running, unit.current = unit.current, None
        endings += unit.take_endings()
        if running and not any(ending.claim.key == running.claim.key for ending in endings):
            endings.append(self._end_of_abandoned(running))
        self.units.pop(unit.job_id, None)
        await self._finisher.add(endings)

    def running(self) -> list[Running]:
        """Return the attempts that run now."""
        return [unit.current for unit in list(self.units.values()) if unit.current]

    def cancel(self, claims: set[ClaimKey]) -> None:
        """Request that these attempts stop, also those that are claimed but have not begun."""
        self._to_cancel = claims
        for running in self.running():
            if running.claim.key in claims:
                running.context.cancelled.set()

    def interrupt(self) -> None:
        """Notify every running handler that the worker must stop."""
        self._is_stopping = True
        for running in self.running():
            running.context.interrupted.set()

    async def _look_after(self, unit: Unit) -> None:
        """Put back the members that wait behind a slow one, and record those that have ended."""
        if waiting := unit.take_waiting():
            self._put_back(waiting)
        if endings := unit.take_endings():
            await self._finisher.add(endings)

    def _is_overdue(self, unit: Unit) -> bool:
        running = unit.current
        if running is None:
            return False
        # A child is killed at its limit; its slot is lost only when that fails.
        return running.is_overdue(margin=KILL_MARGIN if running.isolated else 0.0)

    def _work(self, unit: Unit) -> None:
        """Run the members of a unit one after another; the body of a slot's thread."""
        close_old_connections()
        kind = unit.kind
        while (claim := unit.take()) is not None:
            context = Context(
                task_id=claim.id,
                attempt=claim.attempt,
                owner_id=claim.owner_id,
                soft_time_limit=kind.soft_time_limit,
                prepare=prepare,
            )
            isolated = kind.isolation == "process" or claim.deaths > 0
            unit.current = running = Running(kind, claim, context, isolated)
            ending = self._attempt(running)
            self._pace.note(kind.name, running.seconds())
            # The ending comes first: `close` may run meanwhile, and must see one of the two.
            if ending and ending.recorded:
                self._finisher.count([ending])
            elif ending:
                unit.endings.append(ending)
            unit.current = None
        close_old_connections()

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
            if running.claim.key in self._to_cancel:
                return raised(running.claim, running.kind, Cancel(CANCELLED_ON_REQUEST))
            if running.isolated:
                return self._isolation.run(running)
            return attempt(running.kind, running.claim, running.context, worker=self._worker)
        except BaseException:
            log.exception(
                "the outcome of an attempt is unknown; the attempt counts as failed",
                extra={"task_id": str(running.claim.id)},
            )
            return unexplained(running.claim)
