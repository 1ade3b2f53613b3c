"""An event that a platform told of: remembered so that telling it again does nothing."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Coalesce
from django.utils import timezone

from tasks.models.owned import OwnedQuerySet


class WebhookEvent(models.Model):
    """One event, by the name that its platform gave it."""

    # By owner, lest one can have another's events taken for repetitions.
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, db_index=False
    )
    platform = models.CharField(max_length=20)
    event_id = models.CharField(max_length=300)
    # The task that answers it.
    task_id = models.UUIDField(null=True, blank=True)
    received_at = models.DateTimeField(default=timezone.now)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ("-received_at",)
        constraints = [
            models.UniqueConstraint(
                Coalesce("owner", 0), "platform", "event_id", name="webhook_event_once"
            ),
        ]
        indexes = [
            # Forgetting those that no platform repeats any more.
            models.Index(fields=["received_at"], name="webhook_event_received"),
        ]

    def __str__(self) -> str:
        return f"{self.platform} event {self.event_id}"
