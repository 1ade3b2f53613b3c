from __future__ import annotations

from django.db import models


class Effect(models.Model):
    """An effect of a handler; no unique key, so that duplicates can be counted."""

    task_id = models.UUIDField()
    attempt = models.IntegerField()
    at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"effect of {self.task_id}"
