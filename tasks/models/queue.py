"""Queue switches; a queue without a row is not paused."""

from __future__ import annotations

from django.db import models


class Queue(models.Model):
    """The switches that operators set for one queue."""

    name = models.CharField(max_length=128, primary_key=True)
    # Nothing is claimed from a paused queue; submitting goes on.
    paused = models.BooleanField(default=False)
    # Since when, by whom and why; empty where not known.
    paused_at = models.DateTimeField(null=True, blank=True)
    paused_by = models.CharField(max_length=150, blank=True, default="", db_default="")
    paused_reason = models.CharField(max_length=200, blank=True, default="", db_default="")

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name
