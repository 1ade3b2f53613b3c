"""Statistics: the aggregate reads of screens, health checks and commands, by subject."""

from __future__ import annotations

from tasks.stats.batches import (
    BatchProgress,
    BatchStatus,
    batch_counts,
    batch_progress,
    batch_status,
)
from tasks.stats.failures import FailureGroup, failure_groups
from tasks.stats.limit_usage import (
    BLOCKED_LIMIT,
    Usage,
    ValueUsage,
    busiest_values,
    limit_usage,
)
from tasks.stats.queues import WAITING_LIMIT, QueueLoad, QueuesStatus, queues_status, waiting
from tasks.stats.reasons import READ, Reason, Waiting, expected_reason, waiting_reason
from tasks.stats.storage import holdings, prunable
from tasks.stats.worker_states import Liveness, living_workers, worker_counts, workers
from tasks.stats.workflow_graph import WorkflowGraph, workflow_graph

__all__ = [
    "BLOCKED_LIMIT",
    "READ",
    "WAITING_LIMIT",
    "BatchProgress",
    "BatchStatus",
    "FailureGroup",
    "Liveness",
    "QueueLoad",
    "QueuesStatus",
    "Reason",
    "Usage",
    "ValueUsage",
    "Waiting",
    "WorkflowGraph",
    "batch_counts",
    "batch_progress",
    "batch_status",
    "busiest_values",
    "expected_reason",
    "failure_groups",
    "holdings",
    "limit_usage",
    "living_workers",
    "prunable",
    "queues_status",
    "waiting",
    "waiting_reason",
    "worker_counts",
    "workers",
    "workflow_graph",
]
