"""Batches: tasks that were submitted together."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone
from uuid_utils.compat import uuid7

from tasks.models.owned import OwnedQuerySet


class Batch(models.Model):
    """Tasks that were submitted together, all or none."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True)
    total = models.IntegerField()
    created_at = models.DateTimeField(default=timezone.now)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        verbose_name_plural = "batches"

    def __str__(self) -> str:
        return f"batch {self.id}"

    def task_ids(self) -> list[uuid.UUID]:
        """Return the ids of its tasks, in order of submission."""
        return list(self.tasks.order_by("id").values_list("id", flat=True))
