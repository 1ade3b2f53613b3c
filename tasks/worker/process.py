"""Worker process: puts the parts together and runs the stock loop on them."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
import uuid
from collections.abc import Awaitable, Sequence
from functools import partial
from typing import Any, NoReturn

from tasks import tracing
from tasks.lifecycle.ending import Claim, ClaimKey
from tasks.models import WorkerState
from tasks.postgres.application_name import set_application_name
from tasks.supervision.fork_server import ForkServer
from tasks.worker.buffer import Buffer
from tasks.worker.child import run_child
from tasks.worker.claimer import Claimer
from tasks.worker.executor import Executor
from tasks.worker.finisher import Finisher, Unrecordable
from tasks.worker.isolation import Isolation, reason_to_replace, resident_kib
from tasks.worker.leader import Leader
from tasks.worker.lease import Lease
from tasks.worker.output import capture_output
from tasks.worker.registration import deregister, register, worker_name
from tasks.worker.release_others import release_others
from tasks.worker.reporter import Reporter
from tasks.worker.siblings import Member
from tasks.worker.stock_loop import stock_worker
from tasks.worker.threads import in_thread

log = logging.getLogger(__name__)

# Exit codes for the supervisor: replace the process at once; the lease is lost.
EXIT_RECYCLE = 75
EXIT_LEASE_LOST = 76

_TICK = 0.25
# Seconds that interrupted handlers, and threads, have to end before they are abandoned.
_END_SECONDS = 1.0
# Seconds to release the other claims of a process that must end.
_RELEASE_SECONDS = 5.0


def run_worker(
    *, queues: Sequence[str] | None, concurrency: int, grace: float, member: Member
) -> int:
    """Run one worker process until it must stop; return its exit code."""
    capture_output()
    # Of the handlers, of their child processes and of the leader.
    set_application_name("worker handlers")
    # Before any thread starts: afterwards forking is not safe.
    fork_server = ForkServer(run_child)
    tracing.start()
    try:
        process = WorkerProcess(
            queues=queues,
            concurrency=concurrency,
            grace=grace,
            member=member,
            fork_server=fork_server,
        )
        exit_code = asyncio.run(process.run())
        tracing.stop()
        return exit_code
    except Exception:
        _exit_to_be_replaced()


class WorkerProcess:
    """The engine that procrastinate's stock loop runs on."""

    worker_id: int

    def __init__(
        self,
        *,
        queues: Sequence[str] | None,
        concurrency: int,
        grace: float,
        member: Member,
        fork_server: ForkServer,
    ) -> None:
        self._queues = queues
        self._member = member
        self._fork_server = fork_server
        self._concurrency = concurrency
        self._grace = grace
        self._state = WorkerState.RUNNING
        self._exit_code = 0
        self._stopping = asyncio.Event()
        self._slot_needed = asyncio.Event()
        self._is_ending = False
        self.name = worker_name()

    async def run(self) -> int:
        """Work until a stop is requested, then drain and deregister."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        if not await self._register():
            return 0
        self._assemble()
        for thread in (self._lease, self._reporter):
            thread.start()
        self._claiming = in_thread("claimer", self._claimer.run)
        finishing = in_thread("finisher", self._finisher.run)
        leading = in_thread("leader", self._leader.run)
        try:
            await self._beside(
                self._work(), self._tick(), self._drain(), self._claiming, finishing, leading
            )
        except Exception as error:
            if isinstance(error, Unrecordable):
                self._claimer.stop()
                await self._release_others(error.claim)
            # At once: closing the loop would end the attempts that run, as if they had failed.
            _exit_to_be_replaced()
        self._finisher.stop()
        for part in (self._lease, self._leader, self._reporter):
            part.stop()
        await in_thread("join", self._lease.join, _END_SECONDS)
        await in_thread("deregister", deregister, self.worker_id, self.name)
        return self._exit_code

    def stop(self) -> None:
        """Drain and end."""
        self._stopping.set()

    async def _beside(self, main: Awaitable[None], *others: Awaitable[None]) -> None:
        """Await the main work beside others; a failure of any of them ends the process."""
        # The main work first: the stock loop discards a request to stop that came before it began.
        main_task = asyncio.ensure_future(main)
        tasks = [asyncio.ensure_future(other) for other in others]
        waiting: set[asyncio.Future[None]] = {main_task, *tasks}
        while not main_task.done():
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for future in done:
                future.result()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

    async def _work(self) -> None:
        """Run the stock loop, then record the endings that are left."""
        await self._stock.run()
        await self._claiming
        await in_thread("flush", self._finisher.flush)

    async def next_slot(self) -> int | None:
        """Wait until claims wait and every slot is busy; return the number of a new slot."""
        await self._slot_needed.wait()
        self._slot_needed.clear()
        return None if self._is_ending else self._executor.add_slot()

    async def run_slot(self, number: int) -> None:
        """Run tasks in a slot."""
        await self._executor.run(number)

    async def close_slot(self, number: int) -> None:
        """Remove a slot; end the attempt that still runs in it."""
        self._executor.close(number)

    def _assemble(self) -> None:
        held = self._held = set[ClaimKey]()
        loop = asyncio.get_running_loop()
        self._finisher = Finisher(worker=self.name, held=held)
        buffer = self._buffer = Buffer(
            concurrency=self._concurrency,
            on_low=lambda: self._claimer.wake(),
            on_short=partial(loop.call_soon_threadsafe, self._slot_needed.set),
        )
        self._claimer = Claimer(
            worker_id=self.worker_id,
            queues=self._queues,
            buffer=buffer,
            finisher=self._finisher,
            held=held,
            member=self._member,
            on_cancel=self._cancel_requested,
        )
        self._executor = Executor(
            concurrency=self._concurrency,
            worker=self.name,
            buffer=buffer,
            finisher=self._finisher,
            isolation=Isolation(self._fork_server, worker=self.name),
            recycle=self._recycle,
        )
        self._stock = stock_worker(self, concurrency=self._concurrency)
        self._lease = Lease(
            worker_id=self.worker_id,
            heartbeat_fields=self._heartbeat_fields,
            on_claims=self._claimer.compare,
            # The event loop's thread alone changes the executor's state.
            on_cancel=lambda claims: loop.call_soon_threadsafe(self._executor.cancel, claims),
            on_lost=self._abandon,
        )
        self._leader = Leader(self._member, queues=self._queues)
        self._reporter = Reporter(self._executor.running)

    def _cancel_requested(self, task_id: uuid.UUID) -> None:
        """Look at once which claims should stop, if one of this worker's is for the task.

        The notification does not say which claim: since then the task may have been retried.
        """
        if any(held_id == task_id for held_id, _ in list(self._held)):
            self._lease.renew_soon()

    async def _register(self) -> bool:
        """Register, waiting for the database; return False if a stop is requested first."""
        registering = in_thread(
            "register",
            partial(register, self.name, queues=self._queues or [], concurrency=self._concurrency),
        )
        stopping = asyncio.create_task(self._stopping.wait())
        waiting: set[asyncio.Future[Any]] = {registering, stopping}
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not registering.done():
            return False
        self.worker_id = registering.result()
        return True

    async def _release_others(self, culprit: Claim) -> None:
        """Release what this process holds besides the claim that ends it, as far as time allows."""
        releasing = in_thread(
            "release",
            partial(
                release_others,
                culprit,
                worker_id=self.worker_id,
                worker=self.name,
                unrecorded=self._finisher.unrecorded(),
            ),
        )
        await asyncio.wait({releasing}, timeout=_RELEASE_SECONDS)

    async def _tick(self) -> None:
        """Check at intervals what no event reports: lease, overdue tasks, size of the process."""
        while True:
            await asyncio.sleep(_TICK)
            self._lease.check()
            self._claimer.release_overdue()
            self._executor.give_up_overdue()
            if self._is_spent():
                self._recycle()

    def _is_spent(self) -> bool:
        """Return whether this process must be replaced: it has run enough, or grown too large."""
        return bool(reason_to_replace(os.getpid(), tasks=self._finisher.processed))

    async def _drain(self) -> None:
        """On a stop request, claim nothing more, finish what runs, release what is left."""
        await self._stopping.wait()
        self._state = WorkerState.DRAINING
        deadline = time.monotonic() + self._grace
        self._claimer.stop()
        await self._until_idle(deadline)
        if self._executor.slots:
            self._executor.interrupt()
            await self._until_idle(time.monotonic() + _END_SECONDS)
        self._is_ending = True
        self._slot_needed.set()
        self._stock.stop()

    async def _until_idle(self, deadline: float) -> None:
        while self._executor.slots and time.monotonic() < deadline:
            await asyncio.sleep(0.02)

    def _recycle(self) -> None:
        """Have this process replaced: it has run enough, or holds a thread that never ends."""
        self._exit_code = EXIT_RECYCLE
        self._stopping.set()

    def _abandon(self, reason: str) -> None:
        """Exit at once, with tasks running: another worker may have claimed them by now."""
        log.critical(
            "worker lost its lease; exiting", extra={"worker": self.name, "reason": reason}
        )
        os._exit(EXIT_LEASE_LOST)

    def _heartbeat_fields(self) -> dict[str, Any]:
        return {
            "state": str(self._state),
            "running": len(self._executor.running()),
            "processed": self._finisher.processed,
            "failed": self._finisher.failed,
            "buffered": len(self._buffer),
            "claims": self._claimer.claims,
            "claim_seconds": self._claimer.claim_seconds,
            "memory_kib": resident_kib(os.getpid()),
        }


def _exit_to_be_replaced() -> NoReturn:
    """Exit after a defect of ours: a process without its loop does no work."""
    log.critical("worker process failed; it exits and is replaced", exc_info=True)
    os._exit(1)
