"""Attempts: each is one run of a task's handler."""

from __future__ import annotations

from django.db import models

from tasks.models.task import Status, Task
from tasks.models.worker import Worker


class Outcome(models.TextChoices):
    """How an attempt ended."""

    RUNNING = "running"
    COMPLETED = "completed"
    # The handler raised. TIMED_OUT: it passed the hard limit. CRASHED: its own process died.
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CRASHED = "crashed"
    # These do not count against `max_attempts`. LOST: the worker died.
    LOST = "lost"
    SNOOZED = "snoozed"
    INTERRUPTED = "interrupted"
    CANCELLED = "cancelled"


class Attempt(models.Model):
    """One ended attempt that did not complete its task."""

    task = models.ForeignKey(Task, models.CASCADE, related_name="attempts", db_index=False)
    number = models.IntegerField()
    claim_number = models.IntegerField(db_column="lease")
    worker = models.CharField(max_length=200, blank=True, default="")
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=12, choices=Outcome)
    # {"type", "title", "detail", "traceback"}; the traceback is for operators only.
    error = models.JSONField(null=True, blank=True)

    class Meta:
        constraints = [
            # One row for each claim; also the index that task pages read.
            models.UniqueConstraint(fields=["task", "claim_number"], name="attempt_once_per_claim"),
        ]

    def __str__(self) -> str:
        return f"attempt {self.number} of {self.task_id}"


def history_of(task: Task) -> list[Attempt]:
    """Return every attempt of a task, oldest first, the running or completed one included.

    A task that was answered with a stored result has had none. Only ended attempts that did not
    complete the task have a row; the last one is built from the task's own row.
    """
    ended = sorted(task.attempts.all(), key=lambda attempt: attempt.claim_number)
    if task.status not in (Status.PROCESSING, Status.COMPLETED) or not task.claim_number:
        return ended
    current = Attempt(
        task=task,
        number=task.attempt,
        claim_number=task.claim_number,
        worker=worker_name(task.worker_id),
        started_at=task.started_at,
        finished_at=task.finished_at,
        outcome=Outcome.COMPLETED if task.finished_at else Outcome.RUNNING,
    )
    return [*ended, current]


def worker_name(worker_id: int | None) -> str:
    """Return a worker's name; `worker <id>` if its row is gone, empty without a worker."""
    if worker_id is None:
        return ""
    name = Worker.objects.filter(pk=worker_id).values_list("name", flat=True).first()
    return name or f"worker {worker_id}"
