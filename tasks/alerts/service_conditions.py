"""Conditions of circuit breakers, schedules and receivers of callbacks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.db.models.fields.json import KT

from tasks.alerts.finding import Finding
from tasks.alerts.readings import Readings
from tasks.callback_address import Receiver, Refused
from tasks.callbacks.kind import KIND
from tasks.callbacks.retry_schedule import PAUSES
from tasks.circuit_breaker import circuits
from tasks.formatting import duration
from tasks.models import AlertRule, Schedule, Status, Task

# A callback that failed once more has failed for good: it is a failed task.
MOST_RETRIES = len(PAUSES)
# Of schedules, those that are due first; of callbacks that are tried again, the newest.
_MOST_SCHEDULES = 200
_MOST_CALLBACKS = 1_000


def open_circuits(rule: AlertRule, readings: Readings) -> Iterator[Finding]:
    """Yield the services whose circuit is open or half-open."""
    for circuit in circuits():
        if circuit.state != "closed":
            yield Finding(
                subject=circuit.name,
                value=circuit.failures,
                sentence=f"The circuit to {circuit.name} is open after {circuit.failures} failures"
                f" in a row; the last error: {circuit.last_error}",
            )


def late_schedules(rule: AlertRule, readings: Readings) -> Iterator[Finding]:
    """Yield the schedules with a tick that has not run, and since when it is due.

    One that waits for the end of an earlier task is not late.
    """
    due = Schedule.objects.filter(enabled=True).due()
    schedule: Any
    for schedule in due[:_MOST_SCHEDULES]:
        if schedule.is_held:
            continue
        late = (schedule.seen_at - schedule.next_at).total_seconds()
        yield Finding(
            subject=schedule.name,
            value=round(late, 1),
            sentence=f"The schedule {schedule.name} should have run {duration(late)} ago.",
        )


def dead_receivers(rule: AlertRule, readings: Readings) -> Iterator[Finding]:
    """Yield the receivers of callbacks that are tried again, by the most attempts of one.

    Read through the index of tasks that wait for a retry, and only so many of them.
    """
    retried = Task.objects.filter(
        status=Status.PENDING, attempt__gt=0, attempt__gte=rule.threshold, kind=KIND
    )
    newest = retried.order_by("-id").values_list(KT("input__task_id"), "attempt")[:_MOST_CALLBACKS]
    attempts = {task_id: attempt for task_id, attempt in newest if task_id}
    urls = Task.objects.filter(pk__in=list(attempts)).values_list("pk", "callback_url")
    waiting: Counter[str] = Counter()
    most: dict[str, int] = {}
    for task_id, url in urls:
        receiver = _authority(url)
        waiting[receiver] += 1
        most[receiver] = max(most.get(receiver, 0), attempts[str(task_id)])
    for receiver, count in waiting.items():
        yield Finding(
            subject=receiver,
            value=most[receiver],
            sentence=f"The receiver {receiver} has accepted no callback in {most[receiver]}"
            f" attempts; {count:,} callback{' waits' if count == 1 else 's wait'} for it.",
        )


def _authority(url: str) -> str:
    """Return host and port: the rest of a URL may be a secret."""
    try:
        return Receiver.of(url).authority
    except Refused:
        return "an address that is not allowed"
