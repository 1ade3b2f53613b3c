"""A count of a big table, kept for the requests of the next seconds."""

from __future__ import annotations

from django.db import models


class CachedCount(models.Model):
    """What was counted, when, and how long that took; `tasks.stats.count_cache` writes it."""

    name = models.CharField(max_length=32, primary_key=True)
    value = models.JSONField(db_column="found")
    counted_at = models.DateTimeField()
    seconds = models.FloatField()

    class Meta:
        # The name that the first versions gave it, so that they run on the same database.
        db_table = "tasks_census"

    def __str__(self) -> str:
        return self.name
