"""Webhook events that were received, so that an event that is sent again starts nothing."""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.db import models
from django.db.models.functions import Coalesce
from django.utils import timezone

from tasks.models.owned import OwnedQuerySet

# Google sends an event again for up to seven days, Facebook for less than two.
EVENTS_KEPT = dt.timedelta(days=30)


class WebhookEvent(models.Model):
    """A received event, by its platform's id."""

    # Ids are unique by owner: otherwise one owner could make another's events seem repeated.
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, db_index=False
    )
    platform = models.CharField(max_length=20)
    event_id = models.CharField(max_length=300)
    # The task that answers it.
    task_id = models.UUIDField(null=True, blank=True)
    # The event's own time if that is later: it counts from then how old a repetition can be.
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
            # maintenance.cleanup: the events that no platform sends again.
            models.Index(fields=["received_at"], name="webhook_event_received"),
        ]

    def __str__(self) -> str:
        return f"{self.platform} event {self.event_id}"
