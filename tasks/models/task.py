"""Tasks: what was submitted, how it stands and how it ended."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Coalesce, Now
from django.utils import timezone
from uuid_utils.compat import uuid7

from tasks.correlation import Cause
from tasks.models.owned import OwnedQuerySet


class Status(models.TextChoices):
    """The state of a task. Only `tasks/sql/` and the verbs that call it write one."""

    # Put here by submit, retry and rescue, and by finish after a failed attempt, a snooze or a
    # release; taken out by claim, cancel or delete.
    PENDING = "PENDING", "Pending"
    # Put here by claim; taken out by finish or, when the worker's lease ends, by rescue.
    PROCESSING = "PROCESSING", "Processing"
    # Put here by finish. Final; kept for RETENTION_COMPLETED_DAYS.
    COMPLETED = "COMPLETED", "Completed"
    # Put here by finish when no attempt is left, the error is fatal, or its process died too often,
    # and by rescue after too many lost workers. These are the dead letters: retry takes them out;
    # kept for RETENTION_FAILED_DAYS.
    FAILED = "FAILED", "Failed"
    # Put here by cancel, and by finish or rescue when a cancel was requested. Retry takes it out;
    # kept for RETENTION_COMPLETED_DAYS.
    CANCELLED = "CANCELLED", "Cancelled"


TERMINAL = (Status.COMPLETED, Status.FAILED, Status.CANCELLED)
RETRYABLE = (Status.FAILED, Status.CANCELLED)
CANCELLABLE = (Status.PENDING, Status.PROCESSING)
DELETABLE = (Status.PENDING, *TERMINAL)


class Lane(models.TextChoices):
    """The lane that a task is in."""

    PRIMARY = "primary", "Primary"
    RETRY = "retry", "Retry"
    SCHEDULED = "scheduled", "Scheduled"
    DLQ = "dlq", "Dead letters"


# By the database's clock, as in the statements that claim.
IS_DUE = Q(scheduled_at=None) | Q(scheduled_at__lte=Now())
# Which of the pending tasks are in a lane.
IN_LANE = {
    Lane.PRIMARY: IS_DUE & Q(attempt=0),
    Lane.RETRY: IS_DUE & Q(attempt__gt=0),
    Lane.SCHEDULED: Q(scheduled_at__gt=Now()),
}


class TaskQuerySet(OwnedQuerySet["Task"]):
    """Queries for tasks."""

    def in_lane(self, lane: str) -> TaskQuerySet:
        """Keep the tasks in one lane."""
        if lane == Lane.DLQ:
            return self.filter(status=Status.FAILED)
        return self.filter(IN_LANE[Lane(lane)], status=Status.PENDING)

    def newest_first(self) -> TaskQuerySet:
        """Order by key: version 7 UUIDs grow with time."""
        return self.order_by("-id")

    def for_detail(self) -> TaskQuerySet:
        """Fetch what the page of one task shows, attempts included."""
        detailed = self.select_related("batch", "owner").prefetch_related("attempts")
        return detailed.defer("batch__submitted_ids")


class Task(models.Model):
    """One unit of work; its row, not its job, determines what happens to it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, db_index=False
    )
    batch = models.ForeignKey(
        "tasks.Batch", models.SET_NULL, null=True, blank=True, related_name="tasks", db_index=False
    )
    kind = models.CharField(max_length=128)
    queue = models.CharField(max_length=128, default="default")
    priority = models.IntegerField(default=0)
    status = models.CharField(max_length=10, choices=Status, default=Status.PENDING)

    input = models.JSONField(default=dict)
    result = models.JSONField(null=True, blank=True)
    error = models.JSONField(null=True, blank=True)
    metadata = models.JSONField(default=dict, blank=True)

    # A client's key for its request, and a digest of the request: a repeated request with the same
    # key returns this task instead of creating another.
    idempotency_key = models.CharField(max_length=255, null=True, blank=True)  # noqa: DJ001 null: none
    fingerprint = models.CharField(max_length=64, blank=True, default="", db_default="")

    # Started attempts that count against `max_attempts`.
    attempt = models.IntegerField(default=0)
    max_attempts = models.IntegerField(default=4)
    # The fence: grows with every claim, never falls, and guards every write.
    claim_number = models.IntegerField(default=0, db_column="lease")
    # Claims lost because the worker died, for any reason; attempts lost with their own process.
    losses = models.SmallIntegerField(default=0)
    crashes = models.SmallIntegerField(default=0)
    # The worker that holds the claim; the task's job in procrastinate's table while it has one.
    worker_id = models.BigIntegerField(null=True, blank=True)
    job_id = models.BigIntegerField(null=True, blank=True)

    # Whether others wait for its end: its batch, or tasks that come after it. A trigger notes it
    # (`tasks/models/dependency.py`).
    is_awaited = models.BooleanField(default=False, db_default=False)
    # Its name in a workflow, and the task whose handler submitted it; null for none.
    node = models.CharField(max_length=100, null=True, blank=True)  # noqa: DJ001 null: none
    parent_id = models.UUIDField(null=True, blank=True)

    # The limits under which it stands, as keys of permits; null for none.
    limit_keys = ArrayField(models.TextField(), null=True, blank=True)

    # While it is set, no other task can have it; a trigger removes it (`tasks/sql/free_keys.sql`).
    unique_key = models.UUIDField(null=True, blank=True)
    unique_while = models.CharField(max_length=10, null=True, blank=True)  # noqa: DJ001 null: none
    unique_until = models.DateTimeField(null=True, blank=True)

    # What tasks with the same result share (`tasks/unique.py`), and the key of a permit; null for a
    # kind without a cache. `cached_from` is the task whose result this one got without running.
    cache_key = models.TextField(null=True, blank=True)  # noqa: DJ001 null: none
    cached_from = models.UUIDField(null=True, blank=True)

    # Days after its end for which it is kept; null: as the settings say, 0: without limit.
    keep_days = models.IntegerField(null=True, blank=True)

    progress = models.SmallIntegerField(default=0)
    progress_message = models.CharField(max_length=200, blank=True, default="")
    cancel_requested = models.BooleanField(default=False)

    # URL to notify when the task ends; empty for none. The database default lets the previous
    # version keep inserting.
    callback_url = models.CharField(max_length=2048, blank=True, default="", db_default="")

    # The request that caused the task, as it named itself or was named; empty for none.
    request_id = models.CharField(max_length=128, blank=True, default="", db_default="")
    traceparent = models.CharField(max_length=55, blank=True, default="", db_default="")

    created_at = models.DateTimeField(default=timezone.now)
    scheduled_at = models.DateTimeField(null=True, blank=True)
    # A task that no worker has taken by then is cancelled.
    expires_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = TaskQuerySet.as_manager()

    # Set by a submit that returns an earlier task: for a repeated idempotency key; for a unique
    # task that existed ("existing") or took over the request ("replaced").
    replayed = False
    unique_conflict = ""

    class Meta:
        ordering = ("-id",)
        permissions = [("operate_task", "Can retry, cancel and delete tasks of others")]
        constraints = [
            models.UniqueConstraint(
                Coalesce("owner", 0),
                "idempotency_key",
                name="task_once_per_idempotency_key",
                condition=Q(idempotency_key__isnull=False),
            ),
            models.UniqueConstraint(
                fields=["unique_key"],
                name="task_unique",
                condition=Q(unique_key__isnull=False),
            ),
            models.CheckConstraint(name="task_status_known", condition=Q(status__in=Status.values)),
            # A task has an end time if and only if it has ended.
            models.CheckConstraint(
                name="task_finished_when_terminal",
                condition=Q(status__in=TERMINAL, finished_at__isnull=False)
                | Q(status__in=(Status.PENDING, Status.PROCESSING), finished_at__isnull=True),
            ),
            # A task has a job while it waits or runs, and a worker only while it runs.
            models.CheckConstraint(
                name="task_job_while_alive",
                condition=Q(status__in=TERMINAL, job_id__isnull=True)
                | Q(status__in=(Status.PENDING, Status.PROCESSING), job_id__isnull=False),
            ),
            models.CheckConstraint(
                name="task_worker_while_processing",
                condition=Q(status=Status.PROCESSING, worker_id__isnull=False)
                | (~Q(status=Status.PROCESSING) & Q(worker_id__isnull=True)),
            ),
            models.CheckConstraint(
                name="task_attempt_bounds",
                condition=Q(attempt__gte=0, max_attempts__gte=1, claim_number__gte=F("attempt")),
            ),
            models.CheckConstraint(
                name="task_progress_percent", condition=Q(progress__range=(0, 100))
            ),
        ]
        indexes = [
            # Lists of one owner, newest first: API, pages.
            models.Index(
                fields=["owner", "-id"],
                name="task_owned_newest",
                condition=Q(owner__isnull=False),
            ),
            # The tasks that a request has caused: console, API.
            models.Index(fields=["request_id"], name="task_request", condition=~Q(request_id="")),
            # Batch progress: counts by status.
            models.Index(
                fields=["batch", "status"],
                name="task_batch_status",
                condition=Q(batch__isnull=False),
            ),
            # Whether any member of a batch has not ended.
            models.Index(
                fields=["batch"],
                name="task_batch_unended",
                condition=Q(is_awaited=True, finished_at=None),
            ),
            # The follow-ups of a task.
            models.Index(
                fields=["parent_id"], name="task_parent", condition=Q(parent_id__isnull=False)
            ),
            # Waiting tasks: counts by queue and lane, the reconciler.
            models.Index(
                fields=["queue", "scheduled_at"],
                name="task_pending",
                condition=Q(status=Status.PENDING),
            ),
            # Running tasks: counts by queue, the rescuer's search for tasks of dead workers.
            models.Index(
                fields=["worker_id", "queue"],
                name="task_processing",
                condition=Q(status=Status.PROCESSING),
            ),
            # The dead-letter queue, newest first.
            models.Index(
                fields=["-finished_at", "-id"],
                name="task_failed_newest",
                condition=Q(status=Status.FAILED),
            ),
            # Lists by status, newest first, past a million waiting tasks; counts by status. Two,
            # because every completed task pays for the first, which therefore has only the key.
            models.Index(
                fields=["id"],
                name="task_completed_newest",
                condition=Q(status=Status.COMPLETED),
            ),
            models.Index(
                fields=["status", "id"],
                name="task_undone_newest",
                condition=Q(status__in=RETRYABLE),
            ),
            # Lists of retried and of scheduled tasks, newest first.
            models.Index(
                fields=["id"],
                name="task_retried_newest",
                condition=Q(status=Status.PENDING, attempt__gt=0),
            ),
            models.Index(
                fields=["id"],
                name="task_scheduled_newest",
                condition=Q(status=Status.PENDING, scheduled_at__isnull=False),
            ),
            # The rescuer's search for expired tasks; by the status, `task_pending` might be taken.
            models.Index(
                fields=["expires_at"],
                name="task_expiring",
                condition=Q(finished_at=None, claim_number=0, expires_at__isnull=False),
            ),
            # Results that can be used again.
            models.Index(
                fields=["cache_key", "finished_at"],
                name="task_cached",
                condition=Q(cache_key__isnull=False, cached_from=None),
            ),
            # The pruner's search among tasks of kinds with a period of their own.
            models.Index(
                fields=["keep_days", "finished_at"],
                name="task_kept",
                condition=Q(keep_days__isnull=False),
            ),
            # The pruner's search for all other old rows; tiny, since rows end roughly in order.
            BrinIndex(fields=["finished_at"], name="task_finished_brin", autosummarize=True),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"

    @property
    def cause(self) -> Cause:
        return Cause(self.request_id, self.traceparent)

    @property
    def is_terminal(self) -> bool:
        return self.status in TERMINAL

    @property
    def waits_for_others(self) -> bool:
        """Return whether it waits until others have ended: it is scheduled at infinity."""
        # Where PostgreSQL has infinity, Python has the last time that it knows.
        is_never = self.scheduled_at is not None and self.scheduled_at.year == dt.MAXYEAR
        return self.status == Status.PENDING and is_never

    @property
    def retry_count(self) -> int:
        """Return how many attempts were started after the first."""
        return max(0, self.attempt - 1)

    @property
    def failure_detail(self) -> str | None:
        """Return a failed task's error text; None while a failed attempt will be repeated."""
        return self.error["detail"] if self.status == Status.FAILED and self.error else None

    @property
    def lane(self) -> Lane | None:
        """Return the task's lane; None when it runs, or ended without a failure."""
        if self.status == Status.FAILED:
            return Lane.DLQ
        if self.status != Status.PENDING:
            return None
        if self.scheduled_at and self.scheduled_at > timezone.now():
            return Lane.SCHEDULED
        return Lane.RETRY if self.attempt else Lane.PRIMARY


def parse_task_id(value: Any) -> uuid.UUID | None:
    """Return a caller's value as a UUID; None if it is not one."""
    try:
        return uuid.UUID(str(value))
    except ValueError:
        return None
