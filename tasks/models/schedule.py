"""A schedule: a task that is submitted again and again, by the clock."""

from __future__ import annotations

from collections.abc import Iterable

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.timezone import now
from uuid_utils.compat import uuid7

from tasks.cron import CRON_LENGTH, CronExpression


class ScheduleQuerySet(models.QuerySet["Schedule"]):
    """Schedules, by the questions asked of them."""

    def of_kinds(self, kinds: Iterable[str]) -> ScheduleQuerySet:
        """Keep what is on and submits one of these kinds."""
        return self.filter(enabled=True, kind__in=list(kinds))

    def due(self) -> ScheduleQuerySet:
        """Keep what has ticked, longest ago first; `seen_at` is the database's time."""
        due = self.filter(next_at__lte=Now()).annotate(seen_at=Now())
        return due.select_related("owner").order_by("next_at", "pk")


class Schedule(models.Model):
    """What to submit, and when; `tasks/schedules.py` alone writes it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=100, unique=True)
    # Whose the tasks are. An account that still has schedules is not to be deleted by the way.
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True)
    kind = models.CharField(max_length=128)
    input = models.JSONField(default=dict, blank=True)
    # The kind's own where empty.
    queue = models.CharField(max_length=128, blank=True, default="")
    cron = models.CharField(max_length=CRON_LENGTH)
    timezone = models.CharField(max_length=64, default="UTC")
    enabled = models.BooleanField(default=True)
    # When it fires next, None while it is off.
    next_at = models.DateTimeField(null=True, blank=True)
    # Its last task, by the clock or by hand; the task may have been deleted since.
    last_at = models.DateTimeField(null=True, blank=True)
    last_task_id = models.UUIDField(null=True, blank=True)
    # Why the last tick came to nothing, empty where it did not.
    last_error = models.CharField(max_length=500, blank=True, default="")
    created_at = models.DateTimeField(default=now)

    objects = ScheduleQuerySet.as_manager()

    class Meta:
        ordering = ("name",)
        constraints = [
            models.CheckConstraint(
                name="schedule_next_while_enabled",
                condition=Q(enabled=True, next_at__isnull=False)
                | Q(enabled=False, next_at__isnull=True),
            ),
        ]
        indexes = [
            # The scheduler's look for what is due, in every worker process every few seconds.
            models.Index(fields=["next_at"], name="schedule_next", condition=Q(enabled=True)),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def cron_expression(self) -> CronExpression:
        return CronExpression(cron=self.cron, timezone=self.timezone)
