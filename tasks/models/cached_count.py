"""Cached counts of a big table."""

from __future__ import annotations

from django.db import models


class CachedCount(models.Model):
    """A count, its time and how long it took; `tasks.stats.count_cache` writes it."""

    name = models.CharField(max_length=32, primary_key=True)
    value = models.JSONField(db_column="found")
    counted_at = models.DateTimeField()
    seconds = models.FloatField()

    class Meta:
        # The name in earlier versions, which can still run on the same database.
        db_table = "tasks_census"

    def __str__(self) -> str:
        return self.name
