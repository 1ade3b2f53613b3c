"""Indexed vectors."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone
from uuid_utils.compat import uuid7

from tasks.models.owned import OwnedQuerySet


class Vector(models.Model):
    """A vector of length 1 with the owner's metadata."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, db_index=False
    )
    # Not a foreign key: vectors outlive their tasks. `position` is the place in the task's list.
    task_id = models.UUIDField()
    position = models.IntegerField()
    dimension = models.IntegerField()
    components = ArrayField(models.FloatField())
    metadata = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints = [
            # A task that runs twice stores each vector once.
            models.UniqueConstraint(fields=["task_id", "position"], name="vector_once_per_task"),
        ]
        indexes = [
            # The search: it compares an owner's vectors of one dimension.
            models.Index(fields=["owner", "dimension"], name="vector_owner_dimension"),
        ]

    def __str__(self) -> str:
        return f"vector {self.id}"
