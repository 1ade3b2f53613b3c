"""Conditions: what each can be limited to, its threshold, and how it is read.

A reader returns what it finds with its values; what is below the rule's threshold is left out here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from tasks.alerts import database_conditions, service_conditions, task_conditions
from tasks.alerts.finding import Finding
from tasks.alerts.readings import Readings
from tasks.models import AlertRule, Condition

Reader = Callable[[AlertRule, Readings], Iterable[Finding]]

# Of the subjects of one rule, those with the highest values.
MOST_SUBJECTS = 100


@dataclass(frozen=True, kw_only=True)
class Definition:
    """A condition: its reader, its filters, and the unit and bounds of its threshold."""

    read: Reader
    # Empty: the condition has no threshold.
    unit: str = ""
    low: float = 1
    high: float = 10**9
    filters: tuple[str, ...] = ()
    has_window: bool = False


DEFINITIONS: dict[str, Definition] = {
    Condition.TASK_FAILED: Definition(
        read=task_conditions.failed_tasks,
        unit="tasks",
        high=task_conditions.FAILED_LIMIT,
        filters=("queue", "kind", "error_type"),
        has_window=True,
    ),
    Condition.FAILURE_RATE: Definition(
        read=task_conditions.failure_rate,
        unit="percent",
        high=100,
        filters=("queue", "kind"),
        has_window=True,
    ),
    Condition.OLDEST_DUE_AGE: Definition(
        read=task_conditions.oldest_due_age, unit="seconds", filters=("queue",)
    ),
    Condition.BACKLOG: Definition(read=task_conditions.backlog, unit="tasks", filters=("queue",)),
    Condition.NO_WORKER: Definition(read=task_conditions.no_worker, filters=("queue",)),
    Condition.CIRCUIT_OPEN: Definition(read=service_conditions.open_circuits),
    Condition.SCHEDULE_LATE: Definition(read=service_conditions.late_schedules, unit="seconds"),
    Condition.CALLBACK_RECEIVER: Definition(
        read=service_conditions.dead_receivers,
        unit="attempts",
        high=service_conditions.MOST_RETRIES,
    ),
    Condition.DATABASE_DISK: Definition(read=database_conditions.disk, unit="percent", high=100),
    Condition.DATABASE_SIZE: Definition(read=database_conditions.size, unit="GiB", low=0.001),
    Condition.DATABASE_XMIN: Definition(read=database_conditions.xmin, unit="transactions"),
    Condition.DATABASE_CONNECTIONS: Definition(
        read=database_conditions.connections, unit="percent", high=100
    ),
}


def findings(rule: AlertRule, readings: Readings) -> list[Finding]:
    """Return each subject for which the rule's condition is true; raise what its read raises."""
    reached = [
        finding
        for finding in DEFINITIONS[rule.condition].read(rule, readings)
        if rule.threshold is None or finding.value >= rule.threshold
    ]
    return sorted(reached, key=lambda finding: (-finding.value, finding.subject))[:MOST_SUBJECTS]
