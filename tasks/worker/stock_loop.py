"""Stock loop: procrastinate's own worker, unmodified, runs on our job manager.

Written against procrastinate 3.10.0, pinned exactly. The stock loop calls only `fetch_job`,
`finish_job`, `register_worker`, `unregister_worker`, `prune_stalled_workers`, `update_heartbeat`
and `list_jobs_to_abort_async`; each is answered here. To the stock loop a job stands for a slot,
in which one task after another runs, under a number of our own; procrastinate's job rows
themselves are read and written in `tasks/sql/`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, cast

import procrastinate
from procrastinate import jobs, manager
from procrastinate.connector import BaseAsyncConnector
from procrastinate.contrib.django import procrastinate_app
from procrastinate.job_context import JobContext
from procrastinate.worker import Worker as StockWorker

RUN_SLOT = "tasks.run_slot"


class Engine(Protocol):
    """What the stock loop needs of a worker process."""

    worker_id: int

    async def next_slot(self) -> int | None:
        """Wait until tasks need one more slot; return its number, None when there is none."""

    async def run_slot(self, number: int) -> None:
        """Run tasks in the slot until none is left for it."""

    async def close_slot(self, number: int) -> None:
        """End what still runs in the slot."""


class TaskJobManager(manager.JobManager):
    """Procrastinate's job manager, answering from an engine."""

    def __init__(self, connector: BaseAsyncConnector, engine: Engine) -> None:
        super().__init__(connector)
        self._engine = engine

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> jobs.Job | None:
        """Return the job that stands for the next slot."""
        number = await self._engine.next_slot()
        if number is None:
            return None
        return jobs.Job(id=number, queue="", lock=None, queueing_lock=None, task_name=RUN_SLOT)

    async def finish_job(self, job: jobs.Job, status: jobs.Status, delete_job: bool) -> None:
        """End the slot."""
        assert job.id is not None
        await self._engine.close_slot(job.id)

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

    async def list_jobs_to_abort_async(self, queue: str | None = None) -> Iterable[int]:
        """Return none: tasks are cancelled through their context, not through the job."""
        return []


def register(app: procrastinate.App) -> None:
    """Register our only procrastinate task; called when the Django app is ready."""

    async def run_slot(context: JobContext) -> None:
        engine: Engine = context.additional_context["engine"]
        assert context.job.id is not None
        await engine.run_slot(context.job.id)

    app.task(name=RUN_SLOT, pass_context=True)(run_slot)


def stock_worker(engine: Engine, *, concurrency: int) -> StockWorker:
    """Return procrastinate's worker, set up to run on an engine."""
    app = procrastinate_app.current_app
    app.job_manager = TaskJobManager(cast(BaseAsyncConnector, app.connector), engine)
    return StockWorker(
        app=app,
        concurrency=concurrency,
        install_signal_handlers=False,
        listen_notify=False,
        shutdown_graceful_timeout=0.1,
        additional_context={"engine": engine},
    )
