"""Statistics: the aggregate reads of screens, health checks and commands, by subject."""

from __future__ import annotations

from tasks.stats.batches import BatchProgress, batch_counts, batch_progress
from tasks.stats.failures import FailureGroup, failure_groups
from tasks.stats.queues import WAITING_LIMIT, QueueLoad, QueuesStatus, queues_status, waiting
from tasks.stats.storage import holdings, prunable
from tasks.stats.worker_states import Liveness, living_workers, worker_counts, workers

__all__ = [
    "WAITING_LIMIT",
    "BatchProgress",
    "FailureGroup",
    "Liveness",
    "QueueLoad",
    "QueuesStatus",
    "batch_counts",
    "batch_progress",
    "failure_groups",
    "holdings",
    "living_workers",
    "prunable",
    "queues_status",
    "waiting",
    "worker_counts",
    "workers",
]
