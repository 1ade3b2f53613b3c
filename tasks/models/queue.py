"""Queue switches; a queue without a row is not paused."""

from __future__ import annotations

from django.db import models


class Queue(models.Model):
    """The switches that operators set for one queue."""

    name = models.CharField(max_length=128, primary_key=True)
    # Nothing is claimed from a paused queue; submitting goes on.
    paused = models.BooleanField(default=False)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name
