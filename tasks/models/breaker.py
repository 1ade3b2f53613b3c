"""A circuit breaker: what all workers know about a service outside."""

from __future__ import annotations

from django.db import models


class Breaker(models.Model):
    """One service's row; a service without a row has never failed."""

    name = models.CharField(max_length=100, primary_key=True)
    # In a row; a success begins anew.
    failures = models.IntegerField(default=0)
    # Grows whenever the circuit opens, is tried or is reset: a call that entered before that says
    # nothing any more.
    fence = models.IntegerField(default=0)
    # None while the circuit is closed; afterwards one call at a time may try the service.
    open_until = models.DateTimeField(null=True)
    # Until when that one call has the right to; a call that died with its worker loses it then.
    probe_until = models.DateTimeField(null=True)
    last_error = models.CharField(max_length=200, blank=True)
    last_failure_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name
