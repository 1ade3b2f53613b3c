"""Circuit breakers, shared by all workers through the database and timed by its clock.

Closed: calls go through, consecutive failures are counted. Open: no call goes through. Half-open,
once the recovery time is over: one call probes the service, whatever the number of workers.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import DatabaseError, InterfaceError, close_old_connections, transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from tasks.models import Breaker

log = logging.getLogger(__name__)

# When to try again while another call probes the service; seconds.
PROBED_AGAIN_AFTER = 5.0

_CLOSED: dict[str, Any] = {"failures": 0, "open_until": None, "probe_until": None}
_known: set[str] = set()


class ServiceFailure(Exception):
    """The service failed: this counts against its circuit."""

    # Whether one such failure opens the circuit.
    opens_circuit = False


class ServiceRefusal(Exception):
    """The service answered with a refusal: its circuit stays closed."""


class CircuitOpen(Exception):
    """The service may not be called for another `retry_after` seconds."""

    def __init__(self, name: str, retry_after: float) -> None:
        super().__init__(f"The circuit to {name} is open.")
        self.retry_after = retry_after


@dataclass(frozen=True)
class Permit:
    """The right to make one call; its result counts while the circuit keeps this fence."""

    fence: int
    is_probe: bool = False


@dataclass(frozen=True, kw_only=True)
class Circuit:
    """The circuit to one service, as operators see it."""

    name: str
    state: str
    failures: int
    retry_at: dt.datetime | None = None
    last_error: str = ""
    last_failure_at: dt.datetime | None = None


class CircuitBreaker:
    """The circuit to one service."""

    def __init__(self, name: str) -> None:
        self.name = name
        _known.add(name)

    @contextmanager
    def permit(self, *, lease: float) -> Iterator[None]:
        """Let one call through that ends within `lease` seconds; raise CircuitOpen.

        Not for use within a transaction, which would stay open for as long as the call lasts.
        """
        permit = self._enter(dt.timedelta(seconds=lease))
        try:
            yield
        except ServiceFailure as failure:
            text, opens = str(failure), failure.opens_circuit
            self._note(lambda: self._failed(permit, text, opens=opens))
            raise
        except ServiceRefusal:
            self._note(lambda: self._succeeded(permit))
            raise
        except BaseException:
            # This is no result of the service: another call may probe it.
            self._note(lambda: self._given_up(permit))
            raise
        self._note(lambda: self._succeeded(permit))

    def _enter(self, lease: dt.timedelta) -> Permit:
        with transaction.atomic(durable=True):
            row = self._row()
            if row.open_until is None:
                return Permit(row.fence)
            if (left := (row.open_until - row.now).total_seconds()) > 0:
                raise CircuitOpen(self.name, left)
            free = Q(probe_until=None) | Q(probe_until__lte=Now())
            probe = Breaker.objects.filter(free, name=self.name, fence=row.fence)
            if not probe.update(fence=F("fence") + 1, probe_until=row.now + lease):
                again = min(PROBED_AGAIN_AFTER, settings.CIRCUIT_BREAKER_RECOVERY_TIMEOUT)
                raise CircuitOpen(self.name, again)
        log.info("circuit half-open: one call tries the service", extra={"breaker": self.name})
        return Permit(row.fence + 1, is_probe=True)

    def _row(self) -> Any:
        rows: Any = Breaker.objects.annotate(now=Now()).filter(name=self.name)
        if (row := rows.first()) is None:
            Breaker.objects.bulk_create([Breaker(name=self.name)], ignore_conflicts=True)
            row = rows.get()
        return row

    def _succeeded(self, permit: Permit) -> None:
        if permit.is_probe:
            closed = self._guarded(permit).update(fence=F("fence") + 1, **_CLOSED)
            if closed:
                log.warning(
                    "circuit closed: the service is called again", extra={"breaker": self.name}
                )
        else:
            self._guarded(permit).filter(failures__gt=0).update(failures=0)

    def _failed(self, permit: Permit, error: str, *, opens: bool) -> None:
        with transaction.atomic():
            rows: Any = self._guarded(permit).select_for_update().annotate(now=Now())
            if (row := rows.first()) is None:
                return
            row.failures += 1
            row.last_error, row.last_failure_at = error[:200], row.now
            enough = row.failures >= settings.CIRCUIT_BREAKER_FAILURE_THRESHOLD
            if opens or enough or permit.is_probe:
                recovery = dt.timedelta(seconds=settings.CIRCUIT_BREAKER_RECOVERY_TIMEOUT)
                row.open_until, row.probe_until = row.now + recovery, None
                row.fence += 1
                log.warning(
                    "circuit opened: the service is not called until the recovery time is over",
                    extra={"breaker": self.name, "reason": error},
                )
            row.save()

    def _given_up(self, permit: Permit) -> None:
        if permit.is_probe:
            self._guarded(permit).update(probe_until=None)

    def _guarded(self, permit: Permit) -> QuerySet[Breaker]:
        return Breaker.objects.filter(name=self.name, fence=permit.fence)

    def _note(self, write: Callable[[], None]) -> None:
        """Record the result of a call; if the database is away, keep the call's answer and log."""
        try:
            write()
        except (DatabaseError, InterfaceError) as error:
            log.warning(
                "could not record a call's result; the circuit is unchanged",
                extra={"breaker": self.name, "error": type(error).__name__},
            )
            close_old_connections()


def circuits() -> list[Circuit]:
    """Return every circuit that the kinds use or that has failed, by name."""
    rows: Any = Breaker.objects.annotate(now=Now())
    stored = {row.name: _circuit(row) for row in rows}
    unused = {name: Circuit(name=name, state="closed", failures=0) for name in _known}
    return [circuit for _, circuit in sorted({**unused, **stored}.items())]


def reset(*names: str) -> list[str]:
    """Close these circuits, or all, whatever their state; return their names."""
    chosen = sorted(names or {circuit.name for circuit in circuits()})
    Breaker.objects.filter(name__in=chosen).update(fence=F("fence") + 1, **_CLOSED)
    log.warning("circuits reset: the services are called again", extra={"breakers": chosen})
    return chosen


def _circuit(row: Any) -> Circuit:
    state = "closed"
    if row.open_until is not None:
        state = "open" if row.open_until > row.now else "half-open"
    return Circuit(
        name=row.name,
        state=state,
        failures=row.failures,
        retry_at=row.open_until,
        last_error=row.last_error,
        last_failure_at=row.last_failure_at,
    )
