from __future__ import annotations

from django.db import models


class Effect(models.Model):
    """What a handler did to the world; no unique key, so that doubles are seen."""

    task_id = models.UUIDField()
    attempt = models.IntegerField()
    at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"effect of {self.task_id}"
