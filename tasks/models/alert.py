"""Alerts: rules that operators edit, and what they have reported."""

from __future__ import annotations

import datetime as dt

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone
from uuid_utils.compat import uuid7


class Condition(models.TextChoices):
    """What a rule watches; `tasks/alerts/conditions.py` reads it."""

    TASK_FAILED = "task_failed", "Failed tasks"
    FAILURE_RATE = "failure_rate", "Failure rate"
    OLDEST_DUE_AGE = "oldest_due_age", "Age of the oldest due task"
    BACKLOG = "backlog", "Backlog of a queue"
    NO_WORKER = "no_worker", "No live worker for a queue"
    CIRCUIT_OPEN = "circuit_open", "Circuit open"
    SCHEDULE_LATE = "schedule_late", "Schedule late"
    CALLBACK_RECEIVER = "callback_receiver", "Callback receiver does not answer"
    DATABASE_DISK = "database_disk", "Disk of the embedded database"
    DATABASE_SIZE = "database_size", "Size of the database"
    DATABASE_XMIN = "database_xmin", "Oldest snapshot of the database"
    DATABASE_CONNECTIONS = "database_connections", "Connections to the database"


class AlertRuleQuerySet(models.QuerySet["AlertRule"]):
    """Queries for rules."""

    def due(self, before: dt.datetime) -> AlertRuleQuerySet:
        """Keep the enabled rules that were last evaluated before a time, the longest ago first.

        `seen_at` is the database's time. An evaluation in its future is one before the clock was
        set back.
        """
        never = Q(evaluated_at=None)
        due = never | Q(evaluated_at__lte=before) | Q(evaluated_at__gt=Now())
        rows = self.filter(due, enabled=True).annotate(seen_at=Now())
        return rows.order_by(F("evaluated_at").asc(nulls_first=True), "pk")


class AlertRule(models.Model):
    """What to watch and whom to notify; only `tasks/alerts/` writes it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=100, unique=True)
    condition = models.CharField(max_length=32, choices=Condition)
    # Filters, empty for all; each condition has some of them.
    queue = models.CharField(max_length=128, blank=True, default="")
    kind = models.CharField(max_length=128, blank=True, default="")
    error_type = models.CharField(max_length=200, blank=True, default="")
    # From this value on the condition is true; None where it has none.
    threshold = models.FloatField(null=True, blank=True)
    # The past that the condition looks at, where it looks at any; seconds.
    window_seconds = models.IntegerField(default=900)
    # How long the condition must be true before an alert opens; seconds.
    for_seconds = models.IntegerField(default=0)
    emails = ArrayField(models.EmailField(), default=list, blank=True)
    webhook_url = models.CharField(max_length=2048, blank=True, default="")
    enabled = models.BooleanField(default=True)
    # Until then nothing is sent about alerts that open.
    muted_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)
    # The last evaluation, and why it failed; empty if it did not.
    evaluated_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=500, blank=True, default="")
    # Earlier values of a counter that the condition compares with: [[epoch, value, …], …].
    samples = models.JSONField(default=list, blank=True)

    objects = AlertRuleQuerySet.as_manager()

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    @property
    def has_receivers(self) -> bool:
        return bool(self.emails or self.webhook_url)

    def is_muted(self, now: dt.datetime) -> bool:
        """Return whether nothing is sent at this time about alerts that open."""
        return self.muted_until is not None and self.muted_until > now


class AlertQuerySet(models.QuerySet["Alert"]):
    """Queries for alerts; one that has not opened yet is no alert to anybody."""

    def opened(self) -> AlertQuerySet:
        """Keep those that have opened, closed ones included."""
        return self.filter(opened_at__isnull=False)

    def open(self) -> AlertQuerySet:
        """Keep those that are open."""
        return self.opened().filter(closed_at=None)


class Alert(models.Model):
    """One incident: a condition that has become true for one subject."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # None when the rule has been deleted; its name and condition stay.
    rule = models.ForeignKey(AlertRule, models.SET_NULL, null=True, blank=True, db_index=False)
    rule_name = models.CharField(max_length=100)
    condition = models.CharField(max_length=32, choices=Condition)
    # What it is about, such as the name of a queue.
    subject = models.CharField(max_length=350)
    true_since = models.DateTimeField()
    # None until the condition has been true for as long as the rule requires.
    opened_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    # At the opening.
    sentence = models.CharField(max_length=700)
    value = models.FloatField()
    threshold = models.FloatField(null=True, blank=True)
    latest_value = models.FloatField()
    # Who was notified of the opening, and is notified of the end.
    notified_at = models.DateTimeField(null=True, blank=True)
    emails = ArrayField(models.EmailField(), default=list, blank=True)
    webhook_url = models.CharField(max_length=2048, blank=True, default="")
    # The name of the operator who takes care of it; empty for none.
    acknowledged_by = models.CharField(max_length=150, blank=True, default="")
    acknowledged_at = models.DateTimeField(null=True, blank=True)

    objects = AlertQuerySet.as_manager()

    class Meta:
        ordering = ("-id",)
        constraints = [
            # However many processes evaluate a rule, an incident has one row. Its index also finds
            # the open alerts: each evaluation, the console's start page, metrics.
            models.UniqueConstraint(
                fields=["rule", "subject"],
                name="alert_once_per_incident",
                condition=Q(closed_at=None),
            ),
        ]
        indexes = [
            # The alerts of a rule, newest first; and its deletion.
            models.Index(fields=["rule", "-id"], name="alert_rule_newest"),
            # The pruner's search for old alerts.
            models.Index(
                fields=["closed_at"], name="alert_closed", condition=Q(closed_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rule_name}: {self.subject}"
