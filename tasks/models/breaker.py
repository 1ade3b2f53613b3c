"""Circuit breakers: the state that all workers share about an external service."""

from __future__ import annotations

from django.db import models


class Breaker(models.Model):
    """The circuit to one service; a service without a row has never failed."""

    name = models.CharField(max_length=100, primary_key=True)
    # Consecutive failures; a success resets the number.
    failures = models.IntegerField(default=0)
    # Grows whenever the circuit opens, is probed or is reset: results of calls that began before
    # are ignored.
    fence = models.IntegerField(default=0)
    # None while the circuit is closed; from this time on, one call at a time probes the service.
    open_until = models.DateTimeField(null=True)
    # When the right to probe expires, in case the probing call died with its worker.
    probe_until = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=200, blank=True)
    last_failure_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name
