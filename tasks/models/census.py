"""A count of a big table, kept for those who ask within the next seconds."""

from __future__ import annotations

from django.db import models


class Census(models.Model):
    """What was counted, when, and how long that took; `tasks.stats.count_cache` writes it."""

    name = models.CharField(max_length=32, primary_key=True)
    found = models.JSONField()
    counted_at = models.DateTimeField()
    seconds = models.FloatField()

    class Meta:
        verbose_name_plural = "censuses"

    def __str__(self) -> str:
        return self.name
