"""Workers: processes that run tasks, each with a lease."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models


class WorkerState(models.TextChoices):
    """The state in the row of a worker; `stats.workers` also looks at its lease."""

    RUNNING = "running"
    # A stop was requested: it claims nothing new, finishes what it runs.
    DRAINING = "draining"
    # Set by a rescue, which has queued its tasks again: its lease is never renewed.
    LOST = "lost"


class Worker(models.Model):
    """One worker process; its key is that of procrastinate's worker row."""

    id = models.BigIntegerField(primary_key=True)
    name = models.CharField(max_length=200)
    host = models.CharField(max_length=200)
    pid = models.IntegerField()
    # Empty: every queue.
    queues = ArrayField(models.CharField(max_length=128), default=list)
    # The kinds that it knows; null in the rows of processes of version 1.0, which did not say.
    kinds = ArrayField(models.CharField(max_length=100), null=True)
    concurrency = models.IntegerField()
    state = models.CharField(max_length=10, choices=WorkerState, default=WorkerState.RUNNING)
    started_at = models.DateTimeField()
    # The lease may be ended LEASE_SECONDS after this: `rescue.sql`.
    heartbeat_at = models.DateTimeField()
    # Read by processes of version 1.0 only: `stats.workers` counts the tasks themselves.
    running = models.IntegerField(default=0)
    processed = models.BigIntegerField(default=0)
    failed = models.BigIntegerField(default=0)
    # Memory of the process without its children; 0 until its first heartbeat.
    memory_kib = models.BigIntegerField(default=0, db_default=0)
    # Tasks that are claimed and have not begun; claims that it sent, and how long all of them took.
    buffered = models.IntegerField(default=0, db_default=0)
    claims = models.BigIntegerField(default=0, db_default=0)
    claim_seconds = models.FloatField(default=0, db_default=0)

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return self.name
