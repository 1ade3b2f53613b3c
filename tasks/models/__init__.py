"""Models: tasks, attempts, batches, queues, limits, workers, breakers, schedules, alerts."""

from __future__ import annotations

from tasks.models.alert import Alert, AlertRule, Condition
from tasks.models.attempt import Attempt, Outcome
from tasks.models.batch import Batch
from tasks.models.breaker import Breaker
from tasks.models.cached_count import CachedCount
from tasks.models.dependency import Dependency, NotedEnd
from tasks.models.ended_worker import EndedWorker
from tasks.models.limit import Limit, Line, Permit, RateState, Scope
from tasks.models.metric_sum import MetricSum
from tasks.models.queue import Queue
from tasks.models.schedule import CatchUp, Overlap, Schedule, ScheduleRun
from tasks.models.secret_fingerprint import SecretFingerprint
from tasks.models.task import Lane, Status, Task
from tasks.models.worker import Worker, WorkerState

__all__ = [
    "Alert",
    "AlertRule",
    "Attempt",
    "Batch",
    "Breaker",
    "CachedCount",
    "CatchUp",
    "Condition",
    "Dependency",
    "EndedWorker",
    "Lane",
    "Limit",
    "Line",
    "MetricSum",
    "NotedEnd",
    "Outcome",
    "Overlap",
    "Permit",
    "Queue",
    "RateState",
    "Schedule",
    "ScheduleRun",
    "Scope",
    "SecretFingerprint",
    "Status",
    "Task",
    "Worker",
    "WorkerState",
]
