from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models


class Task(models.Model):
    """A task's row, with the columns that every system has."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    status = models.CharField(max_length=10, default="PENDING")
    attempt = models.IntegerField(default=0)
    input = models.JSONField()
    result = models.JSONField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    objects: ClassVar[models.Manager[Task]] = models.Manager()

    class Meta:
        app_label = "procrastinate_peer"
        db_table = "task"

    def __str__(self) -> str:
        return str(self.id)
