"""Stock loop: procrastinate's own worker, unmodified, runs on our job manager.

Written against procrastinate 3.10.0, pinned exactly. The stock loop calls only `fetch_job`,
`finish_job`, `register_worker`, `unregister_worker`, `prune_stalled_workers`,
`update_heartbeat`, `listen_for_jobs` and `list_jobs_to_abort_async`; each is answered here.
To the stock loop a job stands for a unit, one task or a mini-batch, under a number of our own;
procrastinate's job rows themselves are read and written in `tasks/sql/`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol, cast

import procrastinate
from django.conf import settings
from procrastinate import jobs, manager
from procrastinate.connector import BaseAsyncConnector
from procrastinate.contrib.django import procrastinate_app
from procrastinate.job_context import JobContext
from procrastinate.worker import Worker as StockWorker

RUN_UNIT = "tasks.run_unit"


class Engine(Protocol):
    """What the stock loop needs of a worker process."""

    worker_id: int

    async def next_unit(self) -> int | None:
        """Return the number of a unit to run, or None when nothing waits."""

    async def run_unit(self, job_id: int) -> None:
        """Run the unit."""

    async def close_unit(self, job_id: int) -> None:
        """Record how the members of the unit ended."""

    async def listen(self, wake: Any) -> None:
        """Await `wake()` whenever jobs may have come; never returns."""


class TaskJobManager(manager.JobManager):
    """Procrastinate's job manager, answering from an engine."""

    def __init__(self, connector: BaseAsyncConnector, engine: Engine) -> None:
        super().__init__(connector)
        self._engine = engine

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> jobs.Job | None:
        """Return the job that stands for the next unit."""
        job_id = await self._engine.next_unit()
        if job_id is None:
            return None
        return jobs.Job(id=job_id, queue="", lock=None, queueing_lock=None, task_name=RUN_UNIT)

    async def finish_job(self, job: jobs.Job, status: jobs.Status, delete_job: bool) -> None:
        """Record the endings of the unit; the job rows go in the same statement."""
        assert job.id is not None
        await self._engine.close_unit(job.id)

    async def register_worker(self) -> int:
        """Return the id under which the engine registered before the loop began."""
        return self._engine.worker_id

    async def unregister_worker(self, worker_id: int) -> None:
        """Leave it to the engine, which deregisters at its very end."""

    async def prune_stalled_workers(self, seconds_since_heartbeat: float) -> list[int]:
        """Leave it to the rescuer, which rescues the tasks of a dead worker."""
        return []

    async def update_heartbeat(self, worker_id: int) -> None:
        """Leave it to the lease, which is renewed while the worker drains too."""

    async def listen_for_jobs(self, *, on_notification: Any, queues: Any = None) -> None:
        """Wake the loop whenever jobs may have come."""

        async def wake() -> None:
            await on_notification(channel="", notification={"type": "job_inserted", "job_id": 0})

        await self._engine.listen(wake)

    async def list_jobs_to_abort_async(self, queue: str | None = None) -> Iterable[int]:
        """Return none: tasks are cancelled through their context, not through the job."""
        return []


def register(app: procrastinate.App) -> None:
    """Register our only procrastinate task; called when the Django app is ready."""

    async def run_unit(context: JobContext) -> None:
        engine: Engine = context.additional_context["engine"]
        assert context.job.id is not None
        await engine.run_unit(context.job.id)

    app.task(name=RUN_UNIT, pass_context=True)(run_unit)


def stock_worker(engine: Engine, *, concurrency: int) -> StockWorker:
    """Return procrastinate's worker, set up to run on an engine."""
    app = procrastinate_app.current_app
    app.job_manager = TaskJobManager(cast(BaseAsyncConnector, app.connector), engine)
    return StockWorker(
        app=app,
        concurrency=concurrency,
        fetch_job_polling_interval=settings.POLL_SECONDS,
        install_signal_handlers=False,
        shutdown_graceful_timeout=0.1,
        additional_context={"engine": engine},
    )
