"""Schedules: tasks that are submitted repeatedly, by cron expressions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from django.conf import settings
from django.db import models
from django.db.models import Max, Q
from django.db.models.functions import Now
from django.utils.timezone import now
from uuid_utils.compat import uuid7

from tasks.cron import CRON_LENGTH, CronExpression
from tasks.models.task import TERMINAL, Task


class Overlap(models.TextChoices):
    """What a tick does while a task of an earlier run has not ended."""

    ALLOW = "allow", "Run beside it"
    SKIP = "skip", "Leave the run out"
    QUEUE = "queue", "Wait for its end"


class CatchUp(models.TextChoices):
    """What becomes of ticks that were missed, because no worker was alive to run them."""

    ONCE = "once", "One run for all"
    NONE = "none", "Leave them out"
    ALL = "all", "One run for each, of the last day"


class ScheduleQuerySet(models.QuerySet["Schedule"]):
    """Queries for schedules."""

    def of_kinds(self, kinds: Iterable[str]) -> ScheduleQuerySet:
        """Keep the enabled schedules of these kinds."""
        return self.filter(enabled=True, kind__in=list(kinds))

    def due(self) -> ScheduleQuerySet:
        """Keep the due schedules, longest due first; `seen_at` is the database's time."""
        due = self.filter(next_at__lte=Now()).annotate(seen_at=Now())
        return due.select_related("owner").order_by("next_at", "pk")


class Schedule(models.Model):
    """What to submit, and when; only `tasks/schedules/` writes it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=100, unique=True)
    # Owner of the tasks. Deleting an account must not silently delete its schedules.
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True)
    kind = models.CharField(max_length=128)
    input = models.JSONField(default=dict, blank=True)
    # Empty: the kind's default queue.
    queue = models.CharField(max_length=128, blank=True, default="")
    cron = models.CharField(max_length=CRON_LENGTH)
    timezone = models.CharField(max_length=64, default="UTC")
    enabled = models.BooleanField(default=True)
    # The database defaults let the previous version keep inserting.
    overlap = models.CharField(
        max_length=5, choices=Overlap, default=Overlap.ALLOW, db_default=Overlap.ALLOW
    )
    catch_up = models.CharField(
        max_length=4, choices=CatchUp, default=CatchUp.ONCE, db_default=CatchUp.ONCE
    )
    # A run starts up to so many seconds after its tick, at random.
    jitter = models.IntegerField(default=0, db_default=0)
    # The next tick; None while disabled.
    next_at = models.DateTimeField(null=True, blank=True)
    # The last task, from a tick or by hand; it may have been deleted since.
    last_at = models.DateTimeField(null=True, blank=True)
    last_task_id = models.UUIDField(null=True, blank=True)
    # Why the last tick submitted nothing; empty if it submitted a task.
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
            # The scheduler's query for due schedules, in every worker process every few seconds.
            models.Index(fields=["next_at"], name="schedule_next", condition=Q(enabled=True)),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def cron_expression(self) -> CronExpression:
        return CronExpression(cron=self.cron, timezone=self.timezone)

    @property
    def is_held(self) -> bool:
        """Return whether its tick waits for the end of an earlier task."""
        return self.overlap == Overlap.QUEUE and self.has_unfinished_task()

    def has_unfinished_task(self) -> bool:
        """Return whether a task of one of its runs waits or runs."""
        ids = [run.task_id for run in self.runs.only("task_id") if run.task_id]
        unfinished = Task.objects.filter(pk__in=ids).exclude(status__in=TERMINAL)
        # One that has expired will not run; the rescuer cancels it soon.
        return unfinished.exclude(expires_at__lte=Now(), claim_number=0).exists()

    def last_end(self) -> dt.datetime | None:
        """Return when the last of its tasks ended; None if none has."""
        ids = [run.task_id for run in self.runs.only("task_id") if run.task_id]
        ended: dt.datetime | None = Task.objects.filter(pk__in=ids).aggregate(
            last=Max("finished_at")
        )["last"]
        return ended


class ScheduleRun(models.Model):
    """A run of a schedule: a tick, or one that was requested by hand. The newest are kept."""

    schedule = models.ForeignKey(Schedule, models.CASCADE, related_name="runs", db_index=False)
    # None for one that was requested.
    tick = models.DateTimeField(null=True, blank=True)
    at = models.DateTimeField()
    # The task that it submitted, which may have been deleted since; or why it submitted none.
    task_id = models.UUIDField(null=True, blank=True)
    note = models.CharField(max_length=500, blank=True, default="")

    class Meta:
        ordering = ("-id",)
        indexes = [models.Index(fields=["schedule", "-id"], name="schedule_run_newest")]

    def __str__(self) -> str:
        return f"run of {self.schedule_id} at {self.at}"
