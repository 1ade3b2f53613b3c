"""Worker process: puts the parts together and runs the stock loop on them."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import time
import uuid
from collections.abc import Awaitable, Coroutine, Sequence
from typing import Any, NoReturn

import psycopg
from django.conf import settings

from tasks import sql
from tasks.lifecycle.ending import ClaimKey
from tasks.models import WorkerState
from tasks.supervision.fork_server import ForkServer
from tasks.worker import notices
from tasks.worker.child import run_child
from tasks.worker.claimer import Claimer
from tasks.worker.executor import Executor
from tasks.worker.finisher import Finisher, Unrecordable
from tasks.worker.isolation import Isolation, is_spent, resident_kib
from tasks.worker.lease import Lease
from tasks.worker.release_others import release_others
from tasks.worker.reporter import report_progress
from tasks.worker.rescuer import Rescuer
from tasks.worker.scheduler import Scheduler
from tasks.worker.session import Session
from tasks.worker.stock_loop import stock_worker
from tasks.worker.units import Pace

log = logging.getLogger(__name__)

# Exit codes for the supervisor: replace the process at once; the lease is lost.
EXIT_RECYCLE = 75
EXIT_LEASE_LOST = 76

_TICK = 0.25
# Seconds that interrupted handlers, and threads, have to end before they are abandoned.
_END_SECONDS = 1.0


def run_worker(*, queues: Sequence[str] | None, concurrency: int, grace: float) -> int:
    """Run one worker process until it must stop; return its exit code."""
    # Before any thread starts: afterwards forking is not safe.
    fork_server = ForkServer(run_child)
    try:
        process = WorkerProcess(
            queues=queues, concurrency=concurrency, grace=grace, fork_server=fork_server
        )
        return asyncio.run(process.run())
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
        fork_server: ForkServer,
    ) -> None:
        self._queues = queues
        self._fork_server = fork_server
        self._concurrency = concurrency
        self._grace = grace
        self._state = WorkerState.RUNNING
        self._exit_code = 0
        self._stopping = asyncio.Event()
        self._due = asyncio.Event()
        self.name = f"{socket.gethostname()}:{os.getpid()}"

    async def run(self) -> int:
        """Work until a stop is requested, then drain and deregister."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        session = Session("register")
        if not await self._register(session):
            return 0
        self._assemble()
        self._lease.start()
        self._rescuer.start()
        self._scheduler.start()
        try:
            await self._beside(
                self._work(), self._finisher.run(), self._tick(), self._report(), self._drain()
            )
        except Exception as error:
            if isinstance(error, Unrecordable):
                self._claimer.stop_claiming()
                await release_others(
                    error.claim,
                    worker_id=self.worker_id,
                    worker=self.name,
                    unrecorded=self._finisher.unrecorded(),
                )
            # At once: closing the loop would end the attempts that run, as if they had failed.
            _exit_to_be_replaced()
        for thread in (self._scheduler, self._rescuer, self._lease):
            thread.stop()
            await asyncio.to_thread(thread.join, _END_SECONDS)
        await self._deregister(session)
        await self._finisher.close()
        await self._claimer.close()
        return self._exit_code

    def stop(self) -> None:
        """Drain and end."""
        self._stopping.set()

    async def _beside(self, main: Awaitable[None], *loops: Coroutine[Any, Any, None]) -> None:
        """Await the main work, and run loops beside it; a failure of either ends the process."""
        # The main work first: the stock loop discards a request to stop that came before it began.
        main_task = asyncio.ensure_future(main)
        tasks = [asyncio.create_task(loop) for loop in loops]
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
        await self._claimer.stop()
        await self._finisher.flush()

    async def next_unit(self) -> int | None:
        """Claim work for one slot."""
        free = self._concurrency - len(self._executor.units)
        unit = await self._claimer.next_unit(free=free)
        if unit is None:
            return None
        self._executor.units[unit.job_id] = unit
        return unit.job_id

    async def run_unit(self, job_id: int) -> None:
        """Run a unit in its slot."""
        await self._executor.run(self._executor.units[job_id])

    async def close_unit(self, job_id: int) -> None:
        """Record how the members of a unit ended, and release the others."""
        await self._executor.close(self._executor.units[job_id])

    async def listen(self, wake: Any) -> None:
        """Wake the loop for jobs, and pass cancellations to running handlers."""

        async def on_job() -> None:
            self._claimer.notify()
            await wake()

        async def on_due() -> None:
            while True:
                await self._due.wait()
                self._due.clear()
                await on_job()

        await asyncio.gather(
            notices.listen(on_job=on_job, on_cancel=self._cancel_requested), on_due()
        )

    def _assemble(self) -> None:
        self._held = held = set[ClaimKey]()
        pace = Pace()
        self._finisher = Finisher(session=Session("finish"), worker=self.name, held=held)
        self._claimer = Claimer(
            session=Session("claim"),
            worker_id=self.worker_id,
            queues=self._queues,
            slots=self._concurrency * settings.WORKER_PREFETCH_MULTIPLIER,
            pace=pace,
            finisher=self._finisher,
            held=held,
            on_due=self._due.set,
        )
        self._executor = Executor(
            concurrency=self._concurrency,
            worker=self.name,
            pace=pace,
            finisher=self._finisher,
            isolation=Isolation(self._fork_server, worker=self.name),
            put_back=self._claimer.put_back,
            recycle=self._recycle,
        )
        self._stock = stock_worker(self, concurrency=self._concurrency)
        loop = asyncio.get_running_loop()
        self._lease = Lease(
            worker_id=self.worker_id,
            heartbeat_fields=self._heartbeat_fields,
            # The event loop's thread alone changes the executor's state.
            on_cancel=lambda claims: loop.call_soon_threadsafe(self._executor.cancel, claims),
            on_lost=self._abandon,
        )
        self._rescuer = Rescuer()
        self._scheduler = Scheduler()

    def _cancel_requested(self, task_id: uuid.UUID) -> None:
        """Look at once which claims should stop, if one of this worker's is for the task.

        The notification does not say which claim: since then the task may have been retried.
        """
        if any(held_id == task_id for held_id, _ in self._held):
            self._lease.renew_soon()

    async def _register(self, session: Session) -> bool:
        """Register, waiting for the database; return False if a stop is requested first."""
        params = {
            "name": self.name,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "queues": list(self._queues or []),
            "concurrency": self._concurrency,
        }
        registering = asyncio.create_task(
            session.run_until_answered(lambda connection: _register(connection, params))
        )
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait({registering, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not registering.done():
            registering.cancel()
            return False
        self.worker_id = registering.result()
        return True

    async def _deregister(self, session: Session) -> None:
        try:
            await session.rows(sql.DEREGISTER, {"workers": [self.worker_id]})
        except psycopg.Error as error:
            log.warning(
                "could not deregister worker; its lease will expire",
                extra={"worker": self.name, "error": type(error).__name__},
            )
        await session.close()

    async def _tick(self) -> None:
        """Check at intervals what no event reports: lease, overdue claims, size of the process."""
        while True:
            await asyncio.sleep(_TICK)
            self._lease.check()
            await self._claimer.release_overdue()
            if self._is_spent():
                self._recycle()

    def _is_spent(self) -> bool:
        """Return whether this process must be replaced: it has run enough, or grown too large."""
        return is_spent(os.getpid(), tasks=self._finisher.processed)

    async def _report(self) -> None:
        await report_progress(self._executor.running)

    async def _drain(self) -> None:
        """On a stop request, claim nothing more, finish what runs, release what is left."""
        await self._stopping.wait()
        self._state = WorkerState.DRAINING
        deadline = time.monotonic() + self._grace
        await self._claimer.stop()
        await self._until_idle(deadline)
        if self._executor.units:
            self._executor.interrupt()
            await self._until_idle(time.monotonic() + _END_SECONDS)
        self._stock.stop()

    async def _until_idle(self, deadline: float) -> None:
        while self._executor.units and time.monotonic() < deadline:
            await self._claimer.release()
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
            "memory_kib": resident_kib(os.getpid()),
        }


def _exit_to_be_replaced() -> NoReturn:
    """Exit after a defect of ours: a process without its loop does no work."""
    log.critical("worker process failed; it exits and is replaced", exc_info=True)
    os._exit(1)


async def _register(connection: psycopg.AsyncConnection[Any], params: dict[str, Any]) -> int:
    row = await (await connection.execute(sql.REGISTER, params)).fetchone()
    assert row is not None
    return int(row[0])
