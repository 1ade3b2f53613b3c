"""Gauges: current values, read from the database without a look at all tasks of a big table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from django.db.models import Count
from django.db.models.functions import Now
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from tasks import invariants, kinds, sql
from tasks.circuit_breaker import circuits
from tasks.counts import OTHER
from tasks.metrics.database import database
from tasks.metrics.gauge import gauge
from tasks.models import Alert, AlertRule, Batch, Limit, NotedEnd, Schedule
from tasks.stats import Liveness, limit_usage, queues, workers
from tasks.stats.health import check_health
from tasks.stats.queues import QueueLoad, QueuesStatus

if TYPE_CHECKING:
    from tasks.stats.worker_states import SeenWorker

# Of queues that no kind has, those with the most tasks; a caller may choose any name.
_MOST_QUEUES = 100
# Of schedules, those that are due first.
_MOST_SCHEDULES = 200
_MOST_LIMITS = 100


def _queues_and_workers() -> Iterator[Metric]:
    processes = list(workers())
    # None while a big table is counted for the first time.
    if status := queues.recent_queues_status():
        yield from _queues(status, processes)
    yield from _workers(processes)


def _queues(status: QueuesStatus, processes: list[SeenWorker]) -> Iterator[Metric]:
    waiting = gauge("tasks_waiting", "Tasks that wait, due or scheduled.", "queue")
    due = gauge("tasks_due", "Tasks that wait and may run now.", "queue")
    scheduled = gauge("tasks_scheduled", "Tasks that wait for their time.", "queue")
    blocked = gauge(
        "tasks_blocked", "Tasks that wait for a limit, or for a task with the same input.", "queue"
    )
    running = gauge("tasks_running", "Tasks that run.", "queue")
    oldest = gauge(
        "tasks_oldest_due_age_seconds",
        "Since when the task that is due for longest has waited; 0 without one.",
        "queue",
    )
    paused = gauge("tasks_queue_paused", "1 for a queue that is paused.", "queue")
    served = gauge("tasks_queue_workers", "Live workers that take tasks of a queue.", "queue")
    for queue, load in _bounded(status.by_queue).items():
        waiting.add_metric([queue], load.pending)
        due.add_metric([queue], load.due)
        scheduled.add_metric([queue], load.scheduled)
        blocked.add_metric([queue], load.blocked)
        running.add_metric([queue], load.processing)
        oldest.add_metric([queue], load.oldest_age or 0.0)
        if queue != OTHER:
            paused.add_metric([queue], load.paused)
            served.add_metric([queue], sum(_serves(worker, queue) for worker in processes))
    lanes = gauge("tasks_lane", "Tasks that wait, by lane; dlq: dead letters.", "lane")
    for lane, count in status.document()["queues"].items():
        lanes.add_metric([lane], count)
    states = gauge("tasks_stored", "Tasks in the database, by status.", "status")
    for state, count in status.states.items():
        states.add_metric([state], count)
    age = gauge("tasks_counted_timestamp_seconds", "When the tasks of the gauges were counted.")
    age.add_metric([], status.now.timestamp())
    yield from (waiting, due, scheduled, blocked, running, oldest)
    yield from (paused, served, lanes, states, age)


def _bounded(loads: dict[str, QueueLoad]) -> dict[str, QueueLoad]:
    """Return the loads with the queues beyond those that are shown summed up as one."""
    named = {kind.queue for kind in kinds.all_kinds().values()}
    by_size = sorted(loads, key=lambda name: -loads[name].pending - loads[name].processing)
    rest = [name for name in by_size if name not in named][_MOST_QUEUES:]
    if not rest:
        return loads
    shown = {name: load for name, load in loads.items() if name not in set(rest)}
    summed = [loads[name] for name in rest]
    shown[OTHER] = QueueLoad(
        pending=sum(load.pending for load in summed),
        processing=sum(load.processing for load in summed),
        oldest_age=max(load.oldest_age or 0.0 for load in summed),
        paused=False,
        scheduled=sum(load.scheduled for load in summed),
        blocked=sum(load.blocked for load in summed),
    )
    return shown


def _serves(worker: SeenWorker, queue: str) -> bool:
    return worker.liveness == Liveness.ALIVE and (not worker.queues or queue in worker.queues)


def _workers(processes: list[SeenWorker]) -> Iterator[Metric]:
    states = gauge("tasks_workers", "Worker processes, by state.", "state")
    for state in Liveness.values:
        states.add_metric([state], sum(worker.liveness == state for worker in processes))
    yield states
    present = [worker for worker in processes if worker.liveness != Liveness.DEAD]
    for name, help, column, factor in (
        ("slots", "Tasks that a worker can run at once.", "concurrency", 1),
        ("busy", "Tasks that a worker has claimed.", "processing", 1),
        ("buffered", "Tasks that a worker has claimed and not begun.", "buffered", 1),
        ("memory_bytes", "Memory of a worker without its children.", "memory_kib", 1024),
    ):
        yield _of_each(GaugeMetricFamily, name, help, present, column, factor)
    for name, help, column in (
        ("claims", "Claims that a worker sent to the database.", "claims"),
        ("claim_seconds", "How long all claims of a worker took.", "claim_seconds"),
    ):
        yield _of_each(CounterMetricFamily, name, help, present, column, 1)


def _of_each(
    family: type[GaugeMetricFamily | CounterMetricFamily],
    name: str,
    help: str,
    processes: list[SeenWorker],
    column: str,
    factor: int,
) -> Metric:
    metric = family(f"tasks_worker_{name}", help, labels=["worker"])
    for worker in processes:
        metric.add_metric([worker.name], getattr(worker, column) * factor)
    return metric


def _limits() -> Iterator[Metric]:
    running = gauge("tasks_limit_running", "Tasks that have a permit of a limit.", "limit")
    blocked = gauge(
        "tasks_limit_waiting", "Tasks that wait under a limit, counted up to 10,000.", "limit"
    )
    allowed = gauge(
        "tasks_limit_allowed", "How many tasks of a limit may run at once, of each value.", "limit"
    )
    paused = gauge("tasks_limit_paused", "1 for a limit that is paused.", "limit")
    limits = list(Limit.objects.filter(parent=None)[:_MOST_LIMITS])
    usage = limit_usage(limits)
    for limit in limits:
        running.add_metric([str(limit)], usage[limit.pk].running)
        blocked.add_metric([str(limit)], usage[limit.pk].blocked)
        paused.add_metric([str(limit)], limit.paused)
        if limit.concurrent:
            allowed.add_metric([str(limit)], limit.concurrent)
    yield from (running, blocked, allowed, paused)


def _batches() -> Iterator[Metric]:
    running = gauge(
        "tasks_batches_running", "Batches and workflows that something follows, and that run."
    )
    running.add_metric([], Batch.objects.filter(is_awaited=True, ended_at=None).count())
    noted = gauge(
        "tasks_ends_noted",
        "Ends of tasks that others wait for, and that no worker has acted upon yet.",
    )
    noted.add_metric([], NotedEnd.objects.count())
    yield from (running, noted)


def _health() -> Iterator[Metric]:
    checks = gauge(
        "tasks_health", "Findings of the checks of /health: 0 ok, 1 warning, 2 failed, 3 unknown.",
        "check",
    )  # fmt: skip
    for name, finding in check_health().findings.items():
        checks.add_metric([name], finding.level.code)
    yield checks


def _services() -> Iterator[Metric]:
    states = gauge(
        "tasks_circuit_state", "1 for the state of a service's circuit.", "service", "state"
    )
    for circuit in circuits():
        for state in ("closed", "half-open", "open"):
            states.add_metric([circuit.name, state], circuit.state == state)
    late = gauge(
        "tasks_schedule_late_seconds", "Since when a schedule is due; 0 if it is not.", "schedule"
    )
    enabled = Schedule.objects.filter(enabled=True).annotate(seen_at=Now()).order_by("next_at")
    schedule: Any
    for schedule in enabled[:_MOST_SCHEDULES]:
        seconds = (schedule.seen_at - schedule.next_at).total_seconds()
        is_late = seconds > 0 and not schedule.is_held
        late.add_metric([schedule.name], seconds if is_late else 0.0)
    yield from (states, late)


def _alerts() -> Iterator[Metric]:
    alerts = gauge("tasks_alerts_open", "Alerts that are open, by rule.", "rule")
    open_alerts = dict(Alert.objects.open().order_by().values_list("rule").annotate(n=Count("*")))
    for pk, name in AlertRule.objects.values_list("pk", "name"):
        alerts.add_metric([name], open_alerts.get(pk, 0))
    yield alerts


def _invariants() -> Iterator[Metric]:
    """Yield the result of the last check; without one, metrics without a value."""
    violations = gauge(
        "tasks_invariant_violations",
        "Rows for which an invariant did not hold at the last check; must be 0.",
        "invariant",
    )
    unchecked = gauge(
        "tasks_invariants_unchecked", "Invariants that the last check could not check."
    )
    age = gauge("tasks_invariants_age_seconds", "Since when the last check began.")
    took = gauge("tasks_invariants_check_seconds", "How long the last check read.")
    if report := invariants.last_report():
        counts = {finding.invariant.name: finding.count for finding in report.findings}
        for invariant in invariants.INVARIANTS:
            if invariant.name in counts or invariant.name not in report.unchecked:
                violations.add_metric([invariant.name], counts.get(invariant.name, 0))
        unchecked.add_metric([], len(report.unchecked))
        age.add_metric([], max(0.0, (sql.database_now() - report.at).total_seconds()))
        took.add_metric([], report.seconds)
    yield from (violations, unchecked, age, took)


# By the name of the part of a scrape in which they are.
GAUGES: dict[str, Callable[[], Iterator[Metric]]] = {
    "queues": _queues_and_workers,
    "limits": _limits,
    "batches": _batches,
    "services": _services,
    "alerts": _alerts,
    "invariants": _invariants,
    "health": _health,
    "database": database,
}
