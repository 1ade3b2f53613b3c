"""A worker: one process that runs tasks, and the lease it holds on them."""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone


class WorkerState(models.TextChoices):
    RUNNING = "running"
    # Told to stop: takes nothing new, finishes what it runs.
    DRAINING = "draining"
    # Put here by rescue, which gave its tasks to others: its lease is never renewed again.
    LOST = "lost"


class WorkerQuerySet(models.QuerySet["Worker"]):
    def alive(self, *, now: dt.datetime | None = None) -> WorkerQuerySet:
        """Keep the workers whose lease has not ended."""
        lease = dt.timedelta(seconds=settings.LEASE_SECONDS)
        renewed = self.filter(heartbeat_at__gt=(now or timezone.now()) - lease)
        return renewed.exclude(state=WorkerState.LOST)


class Worker(models.Model):
    """One worker process; its key is that of procrastinate's worker row."""

    id = models.BigIntegerField(primary_key=True)
    name = models.CharField(max_length=200)
    host = models.CharField(max_length=200)
    pid = models.IntegerField()
    # Empty: every queue.
    queues = ArrayField(models.CharField(max_length=128), default=list)
    concurrency = models.IntegerField()
    state = models.CharField(max_length=10, choices=WorkerState, default=WorkerState.RUNNING)
    started_at = models.DateTimeField()
    # The lease may be ended LEASE_SECONDS after this: `rescue.sql`.
    heartbeat_at = models.DateTimeField()
    running = models.IntegerField(default=0)
    processed = models.BigIntegerField(default=0)
    failed = models.BigIntegerField(default=0)
    # What the process alone occupies, its children not counted; 0 until its first heartbeat.
    memory_kib = models.BigIntegerField(default=0, db_default=0)

    objects = WorkerQuerySet.as_manager()

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return self.name

    def is_alive(self, *, now: dt.datetime | None = None) -> bool:
        """Say whether its lease still holds."""
        age = (now or timezone.now()) - self.heartbeat_at
        return self.state != WorkerState.LOST and age.total_seconds() < settings.LEASE_SECONDS
