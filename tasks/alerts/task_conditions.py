"""Conditions of tasks and queues."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator

from django.db.models.fields.json import KT
from django.db.models.functions import Now

from tasks.alerts.finding import Finding
from tasks.alerts.readings import Readings
from tasks.counts import ENDED
from tasks.formatting import duration
from tasks.models import AlertRule, MetricSum, Status, Task
from tasks.stats import QueueLoad

# Of the failures of a window, the newest are counted.
FAILED_LIMIT = 10_000
# Of fewer tasks no rate is taken: one failure would be a large share.
FEWEST_ENDED = 10


def failed_tasks(rule: AlertRule, readings: Readings) -> Iterator[Finding]:
    """Yield the failures of the window by kind and error, through the index of dead letters."""
    since = Now() - dt.timedelta(seconds=rule.window_seconds)
    failed = Task.objects.filter(status=Status.FAILED, finished_at__gte=since)
    if rule.queue:
        failed = failed.filter(queue=rule.queue)
    if rule.kind:
        failed = failed.filter(kind=rule.kind)
    if rule.error_type:
        failed = failed.filter(error__type=rule.error_type)
    newest = failed.order_by("-finished_at", "-id").values_list("kind", KT("error__type"))
    for (kind, error), count in Counter(newest[:FAILED_LIMIT]).items():
        yield Finding(
            subject=f"{kind}: {error}",
            value=count,
            sentence=f"{_tasks(count)} of the kind {kind} failed with {error} within"
            f" {duration(rule.window_seconds)}.",
        )


def failure_rate(rule: AlertRule, readings: Readings) -> Iterator[Finding]:
    """Yield the share of failed tasks among those that attempts ended in the window.

    From the counters of `/metrics`: no task is read. `rule.samples` has their earlier values.
    """
    ended, failed = _ended(rule)
    now: float = rule.seen_at.timestamp()  # type: ignore[attr-defined]
    # The last sample before the window is where the window begins.
    start = now - rule.window_seconds
    later = [sample for sample in rule.samples if start < sample[0] <= now]
    before = [sample for sample in rule.samples if sample[0] <= start][-1:]
    rule.samples = [*before, *later, [now, ended, failed]]
    _, ended_before, failed_before = rule.samples[0]
    ended, failed = ended - ended_before, failed - failed_before
    # Fewer than before: the counters have been set back.
    if ended < 0 or failed < 0:
        rule.samples = rule.samples[-1:]
        return
    if ended >= FEWEST_ENDED:
        rate = 100 * failed / ended
        yield Finding(
            subject=_filters(rule) or "all tasks",
            value=round(rate, 1),
            sentence=f"{rate:.0f} % of the tasks that ended within"
            f" {duration(rule.window_seconds)} failed: {failed:,.0f} of {ended:,.0f}.",
        )


def oldest_due_age(rule: AlertRule, readings: Readings) -> Iterator[Finding]:
    """Yield the age of the oldest due task of each queue."""
    for queue, load in _loads(rule, readings):
        if load.oldest_age is not None:
            yield Finding(
                subject=queue,
                value=load.oldest_age,
                sentence=f"The oldest due task of the queue {queue} has waited for"
                f" {duration(load.oldest_age)}{_paused(load)}.",
            )


def backlog(rule: AlertRule, readings: Readings) -> Iterator[Finding]:
    """Yield the number of due tasks of each queue."""
    for queue, load in _loads(rule, readings):
        yield Finding(
            subject=queue,
            value=load.due,
            sentence=f"The queue {queue} has {_tasks(load.due, 'due task')}{_paused(load)}.",
        )


def no_worker(rule: AlertRule, readings: Readings) -> Iterator[Finding]:
    """Yield the queues that have due tasks, are not paused, and from which no worker claims."""
    for queue, load in _loads(rule, readings):
        if load.due and not load.paused and not readings.has_worker(queue):
            yield Finding(
                subject=queue,
                value=load.due,
                sentence=f"The queue {queue} has {_tasks(load.due, 'due task')}, but no live worker"
                " claims from it.",
            )


def _ended(rule: AlertRule) -> tuple[float, float]:
    """Return how many tasks attempts have completed or failed, and how many of them failed."""
    ended = failed = 0.0
    for (queue, kind, status), numbers in MetricSum.objects.filter(name=ENDED.name).values_list(
        "labels", "numbers"
    ):
        is_meant = rule.queue in ("", queue) and rule.kind in ("", kind)
        if is_meant and status != Status.CANCELLED:
            ended += numbers[0]
            failed += numbers[0] if status == Status.FAILED else 0
    return ended, failed


def _loads(rule: AlertRule, readings: Readings) -> Iterator[tuple[str, QueueLoad]]:
    for queue, load in readings.queues.by_queue.items():
        if rule.queue in ("", queue):
            yield queue, load


def _filters(rule: AlertRule) -> str:
    queue = f"queue {rule.queue}" if rule.queue else ""
    kind = f"kind {rule.kind}" if rule.kind else ""
    return ", ".join(filter(None, (kind, queue)))


def _paused(load: QueueLoad) -> str:
    return "; the queue is paused" if load.paused else ""


def _tasks(count: int, noun: str = "task") -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
