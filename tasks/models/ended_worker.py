"""Ended workers: what worker processes served that have ended, kept for some minutes."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models


class EndedWorker(models.Model):
    """What a worker process served until it deregistered; `deregister.sql` writes and deletes it.

    Its successor may not have started yet, so health checks do not report the queue at once.
    """

    # That of the worker.
    id = models.BigIntegerField(primary_key=True)
    queues = ArrayField(models.CharField(max_length=128))
    kinds = ArrayField(models.CharField(max_length=100), null=True)
    heartbeat_at = models.DateTimeField()

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return str(self.id)
