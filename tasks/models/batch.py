"""Batches: tasks that were submitted together."""

from __future__ import annotations

import uuid
from collections.abc import Collection

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce
from django.utils import timezone
from uuid_utils.compat import uuid7

from tasks.models.owned import OwnedQuerySet
from tasks.models.task import Status


class OnFailure(models.TextChoices):
    """What becomes of the other members of a batch when one has failed."""

    # They go on, and what follows the batch starts after the last end.
    CONTINUE = "continue", "Go on"
    # Those that have not begun are cancelled, those that run are requested to stop.
    STOP = "stop", "Stop"


class Batch(models.Model):
    """Tasks that were submitted together, all or none; a workflow is a batch with an order.

    Only of a batch that is awaited its end is noted: then its callback is sent, and the tasks that
    wait for it start.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True)
    total = models.IntegerField()
    created_at = models.DateTimeField(default=timezone.now)

    name = models.CharField(max_length=200, blank=True, default="", db_default="")
    is_workflow = models.BooleanField(default=False, db_default=False)
    is_awaited = models.BooleanField(default=False, db_default=False)
    # Whether members may be added; it does not end before it is closed.
    is_open = models.BooleanField(default=False, db_default=False)
    # Whether it was cancelled as a whole, and not retried since: then nothing follows.
    is_cancelled = models.BooleanField(default=False, db_default=False)
    on_failure = models.CharField(
        max_length=8, choices=OnFailure, default=OnFailure.CONTINUE, db_default=OnFailure.CONTINUE
    )
    # The task that starts after its end; null for none.
    then_id = models.UUIDField(null=True, blank=True)
    callback_url = models.CharField(max_length=2048, blank=True, default="", db_default="")
    # How it ended last, and when; null before. A member that is retried lets it end again.
    outcome = models.CharField(max_length=10, null=True, blank=True)  # noqa: DJ001 null: none
    ended_at = models.DateTimeField(null=True, blank=True)

    # A client's key for its request, a digest of the request, and the answer to it: the ids of all
    # tasks in order of submission, deleted ones and unique ones that existed before included.
    # Without a key no ids are stored; a submit returns them all the same.
    idempotency_key = models.CharField(max_length=255, null=True, blank=True)  # noqa: DJ001 null: none
    fingerprint = models.CharField(max_length=64, blank=True, default="", db_default="")
    submitted_ids = ArrayField(models.UUIDField(), null=True, blank=True)

    objects = OwnedQuerySet.as_manager()

    # Set by a submit that returns the batch of an earlier request.
    replayed = False
    # Set by the submit of a workflow: the ids of its tasks, by their names.
    nodes: dict[str, uuid.UUID] | None = None

    class Meta:
        ordering = ("-id",)
        verbose_name_plural = "batches"
        indexes = [
            # Those that run.
            models.Index(
                fields=["id"], name="batch_unended", condition=Q(is_awaited=True, ended_at=None)
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                Coalesce("owner", 0),
                "idempotency_key",
                name="batch_once_per_idempotency_key",
                condition=Q(idempotency_key__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"batch {self.id}"

    def task_ids(self) -> list[uuid.UUID]:
        """Return the ids of its tasks, in order of submission."""
        return list(self.tasks.order_by("id").values_list("id", flat=True))


def outcome_of(statuses: Collection[str]) -> Status:
    """Return how a batch ended whose members ended so: the worst of them."""
    if Status.FAILED in statuses:
        return Status.FAILED
    return Status.CANCELLED if Status.CANCELLED in statuses else Status.COMPLETED
