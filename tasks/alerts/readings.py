"""Readings: the numbers that conditions compare, each read once in a round of evaluations."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from tasks import stats
from tasks.stats import Liveness
from tasks.stats.database import (
    DatabaseFigures,
    SnapshotHolder,
    database_figures,
    snapshot_holders,
)

if TYPE_CHECKING:
    from tasks.stats.worker_states import SeenWorker


class Readings:
    """The numbers of one round; a reading that fails is tried again by the next condition."""

    @cached_property
    def queues(self) -> stats.QueuesStatus:
        """Return the load of every queue, as `/api/v1/queues/status` shows it."""
        return stats.queues_status()

    @cached_property
    def claiming_workers(self) -> list[SeenWorker]:
        """Return the workers that claim tasks: not those that drain."""
        return list(stats.workers().filter(liveness=Liveness.ALIVE))

    @cached_property
    def database(self) -> DatabaseFigures:
        """Return the figures of the database, as `/metrics` shows them."""
        return database_figures()

    @cached_property
    def snapshot_holders(self) -> list[SnapshotHolder]:
        """Return what keeps vacuum from removing dead rows, the oldest first."""
        return snapshot_holders()

    def has_worker(self, queue: str) -> bool:
        """Return whether a worker claims the tasks of a queue."""
        return any(not worker.queues or queue in worker.queues for worker in self.claiming_workers)
