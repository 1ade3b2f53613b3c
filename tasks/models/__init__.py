"""The rows: a task, its ended attempts, its batch, the queues and the workers."""

from __future__ import annotations

from tasks.models.attempt import Attempt, Outcome
from tasks.models.batch import Batch
from tasks.models.queue import Queue
from tasks.models.task import Lane, Status, Task
from tasks.models.worker import Worker, WorkerState

__all__ = [
    "Attempt",
    "Batch",
    "Lane",
    "Outcome",
    "Queue",
    "Status",
    "Task",
    "Worker",
    "WorkerState",
]
