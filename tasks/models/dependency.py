"""Dependencies: which tasks wait for the end of others, and ends that are to be acted upon."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from tasks.models.task import Status


class Dependency(models.Model):
    """A task that waits until another task, or a batch, has ended.

    Until all its dependencies are met, the task is scheduled at infinity.
    """

    id = models.BigAutoField(primary_key=True)
    # The batch that is deleted with it: that of the task, or the one it waits for.
    batch = models.ForeignKey("tasks.Batch", models.CASCADE, related_name="dependencies")
    task_id = models.UUIDField()
    # The id of a task or a batch.
    on_id = models.UUIDField()
    # Whether the task is cancelled if that fails; otherwise it starts after any end.
    needs_success = models.BooleanField()
    met = models.BooleanField(default=False)

    class Meta:
        ordering = ("id",)
        verbose_name_plural = "dependencies"
        constraints = [
            models.UniqueConstraint(fields=["task_id", "on_id"], name="dependency_once"),
        ]
        indexes = [
            models.Index(fields=["on_id"], name="dependency_on"),
            models.Index(fields=["task_id"], name="dependency_unmet", condition=Q(met=False)),
        ]

    def __str__(self) -> str:
        return f"{self.task_id} after {self.on_id}"


class NotedEnd(models.Model):
    """The end of an awaited task, until it was acted upon.

    A trigger inserts the row in the statement that ends or deletes the task, so that no end is
    lost; `lifecycle.settle()` deletes it in the transaction in which what follows begins.
    """

    id = models.BigAutoField(primary_key=True)
    # Null for a batch that was closed.
    task_id = models.UUIDField(null=True)
    batch_id = models.UUIDField(null=True)
    # `deleted` for a task that was deleted before it had ended; `retried` for one that waited for
    # others, and is to be started if those have ended.
    status = models.CharField(
        max_length=10, choices=[*Status.choices, ("deleted", "Deleted"), ("retried", "Retried")]
    )

    class Meta:
        ordering = ("id",)
        indexes = [models.Index(fields=["batch_id"], name="noted_end_batch")]

    def __str__(self) -> str:
        return f"{self.task_id} {self.status}"
