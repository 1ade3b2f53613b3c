"""Batches: tasks that were submitted together."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce
from django.utils import timezone
from uuid_utils.compat import uuid7

from tasks.models.owned import OwnedQuerySet


class Batch(models.Model):
    """Tasks that were submitted together, all or none."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True)
    total = models.IntegerField()
    created_at = models.DateTimeField(default=timezone.now)

    # A client's key for its request, a digest of the request, and the answer to it: the ids of all
    # tasks in order of submission, deleted ones and unique ones that existed before included.
    # Without a key no ids are stored; a submit returns them all the same.
    idempotency_key = models.CharField(max_length=255, null=True, blank=True)  # noqa: DJ001 null: none
    fingerprint = models.CharField(max_length=64, blank=True, default="", db_default="")
    submitted_ids = ArrayField(models.UUIDField(), null=True, blank=True)

    objects = OwnedQuerySet.as_manager()

    # Set by a submit that returns the batch of an earlier request.
    replayed = False

    class Meta:
        ordering = ("-id",)
        verbose_name_plural = "batches"
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
