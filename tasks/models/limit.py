"""Limits: how many tasks may run at once, and how many may start in a period."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from uuid_utils.compat import uuid7

from tasks.limit_values import Rate


class Scope(models.TextChoices):
    """What a limit counts together."""

    QUEUE = "queue", "Queue"
    KIND = "kind", "Kind"
    # The tasks of each owner.
    OWNER = "owner", "Owner"
    # The tasks of a kind that have the same value in their input.
    KEY = "key", "Key"


class Limit(models.Model):
    """A rule for the tasks of a queue, a kind, each owner, or each value in a kind's input.

    A row with a parent changes its parent's rule for one owner or one value: what it leaves empty
    is as in the parent. Tasks name the parent only, so that it applies to them at once.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    scope = models.CharField(max_length=5, choices=Scope)
    # The queue or the kind; empty for owners.
    name = models.CharField(max_length=128, blank=True, default="")
    # Where the value is in the input, names joined by dots; only with the scope `key`.
    path = models.CharField(max_length=200, blank=True, default="")
    parent = models.ForeignKey("self", models.CASCADE, null=True, related_name="exceptions")
    # The value, or the owner's id, that a row with a parent is for.
    value = models.CharField(max_length=200, blank=True, default="")

    concurrent = models.IntegerField(null=True, blank=True)
    # At most `rate` tasks start within any `period` seconds, and at most `burst` of them together.
    rate = models.IntegerField(null=True, blank=True)
    period = models.IntegerField(null=True, blank=True)
    burst = models.IntegerField(null=True, blank=True)
    # Whether tasks run one after another in the order of their submission, and each keeps its turn
    # until it has ended, also while it waits for its next attempt. Set once. A kind has at most one
    # such limit: with two, tasks could wait for each other.
    ordered = models.BooleanField(default=False)

    # Nothing starts under a paused limit.
    paused = models.BooleanField(default=False)
    paused_reason = models.CharField(max_length=200, blank=True, default="")
    paused_by = models.CharField(max_length=150, blank=True, default="")
    paused_at = models.DateTimeField(null=True, blank=True)

    # What the code last declared; null for a rule that an operator created.
    declared = models.JSONField(null=True, blank=True)
    # Since when all tasks that wait or run are counted; null while older ones are being added.
    applies_at = models.DateTimeField(null=True, blank=True)
    # A permit that was taken before may be one too many, because the limit was higher then.
    changed_at = models.DateTimeField()

    class Meta:
        ordering = ("scope", "name", "path", "value")
        constraints = [
            models.UniqueConstraint(
                fields=["scope", "name", "path"], name="limit_once", condition=Q(parent=None)
            ),
            models.UniqueConstraint(
                fields=["parent", "value"],
                name="limit_exception_once",
                condition=Q(parent__isnull=False),
            ),
            models.UniqueConstraint(
                fields=["name"], name="limit_ordered_once", condition=Q(ordered=True)
            ),
            models.CheckConstraint(
                name="limit_ordered_is_single",
                condition=Q(ordered=False)
                | Q(concurrent=1, parent=None, rate=None, scope__in=["kind", "key"]),
            ),
            models.CheckConstraint(name="limit_scope_known", condition=Q(scope__in=Scope.values)),
            models.CheckConstraint(
                name="limit_numbers",
                condition=(Q(concurrent=None) | Q(concurrent__gte=1))
                & (
                    Q(rate=None, period=None, burst=None)
                    | Q(rate__gte=1, period__gte=1, burst__gte=1, burst__lte=models.F("rate"))
                ),
            ),
        ]

    def __str__(self) -> str:
        return " ".join(filter(None, (self.scope, self.name, self.path, self.value)))

    @property
    def key(self) -> str:
        """Return the key of its permits; the keys of a limit with values begin with it."""
        return f"{self.parent_id}:{self.value}" if self.parent_id else str(self.pk)

    @property
    def has_values(self) -> bool:
        """Return whether each owner or value has permits of its own."""
        return self.parent_id is None and self.scope in (Scope.OWNER, Scope.KEY)

    @property
    def per_period(self) -> Rate | None:
        """Return the rate, if the limit has one."""
        return Rate(self.rate, self.period) if self.rate and self.period else None


class Permit(models.Model):
    """What lets one task start under one limit. `tasks_admit()` inserts and deletes the rows.

    It is held from the moment in which the task's job can be claimed until its attempt has ended.
    """

    id = models.BigAutoField(primary_key=True)
    # The limit's id; for an owner or a value, a colon and that.
    key = models.TextField()
    # Null for a row that is released at once: the limit or the queue `key` was changed, so the
    # lines that it blocks are to be looked at.
    task_id = models.UUIDField(null=True)
    # Whether its start is still to be counted for the rate.
    is_rated = models.BooleanField()
    # Whether it is a turn under an ordered limit, which ends only with the task.
    is_ordered = models.BooleanField(default=False, db_default=False)
    created_at = models.DateTimeField()
    # Set by the claim while the start is to be counted.
    started_at = models.DateTimeField(null=True)
    # Set by the statement that ends the attempt, or cancels or deletes the task.
    released_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("id",)
        indexes = [
            models.Index(fields=["task_id"], name="permit_task"),
            # Those that count.
            models.Index(fields=["key"], name="permit_held", condition=Q(released_at=None)),
            models.Index(fields=["key"], name="permit_rated", condition=Q(is_rated=True)),
            models.Index(
                fields=["id"], name="permit_released", condition=Q(released_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.key} {self.task_id}"


class Line(models.Model):
    """Blocked tasks of one owner, queue and priority under the same limits, first in, first out.

    Tasks that wait for their turn under an ordered limit stand in one line, whatever their owners
    and priorities: its keys are that of the limit, its owner and its priority are 0.

    Only `tasks_admit()` inserts and deletes the rows.
    """

    id = models.BigAutoField(primary_key=True)
    keys = ArrayField(models.TextField())
    queue = models.CharField(max_length=128)
    priority = models.IntegerField()
    owner_id = models.BigIntegerField()
    # The key that has no permit for it, or `queue <name>`: a new line, or one of a paused queue.
    blocked_at = models.TextField()
    # Lines of the same priority take turns: the lowest is next.
    served = models.BigIntegerField()
    # When to look without a permit that was given back; null for never.
    look_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("id",)
        constraints = [
            models.UniqueConstraint(
                fields=["keys", "queue", "priority", "owner_id"], name="line_once"
            ),
        ]
        indexes = [
            models.Index(fields=["blocked_at", "-priority", "served"], name="line_next"),
            models.Index(fields=["look_at"], name="line_look", condition=Q(look_at__isnull=False)),
            # The key of the result is the first one.
            models.Index(models.F("keys__0"), name="line_of_result"),
        ]

    def __str__(self) -> str:
        return f"{self.queue} {self.priority} {self.keys}"


class RateState(models.Model):
    """When the next task may start under a rate (the GCRA's theoretical arrival time).

    See ITU-T I.371. Written by `tasks_admit()` only.
    """

    key = models.TextField(primary_key=True)
    next_at = models.DateTimeField()
    # The rate by which the time was computed.
    rate = models.IntegerField()
    period = models.IntegerField()
    burst = models.IntegerField()

    class Meta:
        ordering = ("key",)

    def __str__(self) -> str:
        return self.key
