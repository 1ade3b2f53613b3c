"""Metric sums: what all processes have counted."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models


class MetricSum(models.Model):
    """What was counted under one name and one combination of labels; `tasks/counts.py`."""

    name = models.CharField(max_length=100)
    labels = ArrayField(models.CharField(max_length=200))
    numbers = ArrayField(models.FloatField())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["name", "labels"], name="metric_sum_once"),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.labels}"
