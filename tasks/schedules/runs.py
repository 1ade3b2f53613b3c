"""Runs: the tasks of schedules are submitted, at their ticks or by hand."""

from __future__ import annotations

import datetime as dt
import logging
import random
import uuid
from itertools import islice, takewhile
from typing import Any

from django.db import transaction
from django.db.models import DurationField, ExpressionWrapper, FloatField, Min, Q
from django.db.models.functions import Cast, Extract, Now

from tasks import kinds, lifecycle, sql
from tasks.errors import InvalidInput, TaskError
from tasks.models import CatchUp, Overlap, Schedule, ScheduleRun, Task
from tasks.schedules.storing import locked, save

log = logging.getLogger(__name__)

# How late a tick may be that is not missed.
MISSED_AFTER = dt.timedelta(seconds=60)
# Ticks that are dealt with together are counted up to this number.
COUNTED_TICKS = 1_000
# Of ticks that were missed, older ones are left out.
CATCH_UP_PERIOD = dt.timedelta(days=1)
# Runs of a schedule that are kept.
RUNS_KEPT = 100


def run_now(schedule: Schedule, *, idempotency_key: str | None = None) -> Task:
    """Submit the schedule's task at once, even if disabled; the next tick does not change.

    Raises UnknownKind or InvalidInput if it cannot be submitted, or ScheduleGone; KeyReused for a
    key that belongs to another task of the schedule's owner.
    """
    with transaction.atomic():
        stored = locked(schedule)
        task = _submit(stored, {"schedule": stored.name}, idempotency_key=idempotency_key)
        if not task.replayed:
            _note(stored, task, at=sql.database_now())
            save(stored)
    return task


def fire_due() -> int:
    """Submit the task of every schedule that is due by the database's clock; return how many.

    Each runs in its own transaction, which locks the row: however many processes call this at
    once, a tick runs once, and it has run if and only if the task is queued. What becomes of missed
    ticks, and of a tick while an earlier task has not ended, is the schedule's to say. A schedule
    whose kind is not registered here is left to other processes.
    """
    fired = 0
    # Those that wait for the end of an earlier task.
    waiting: set[uuid.UUID] = set()
    while True:
        with transaction.atomic():
            due = Schedule.objects.of_kinds(kinds.all_kinds()).due().exclude(pk__in=waiting)
            schedule: Any = due.select_for_update(of=("self",), skip_locked=True).first()
            if schedule is None:
                return fired
            if schedule.is_held:
                waiting.add(schedule.pk)
            else:
                fired += _fire(schedule, now=schedule.seen_at)


def seconds_until_next() -> float | None:
    """Return the seconds until a schedule is due, negative if one is; None if none will be.

    A due one that may wait for an earlier task does not count: it is looked at again and again.
    """
    # As a number: psycopg reads an interval in one of PostgreSQL's four styles only.
    left = ExpressionWrapper(Min("next_at") - Now(), output_field=DurationField())
    seconds = Cast(Extract(left, "epoch"), output_field=FloatField())
    schedules = Schedule.objects.of_kinds(kinds.all_kinds())
    schedules = schedules.exclude(Q(overlap=Overlap.QUEUE) & Q(next_at__lte=Now()))
    answer: float | None = schedules.aggregate(seconds=seconds)["seconds"]
    return answer


def _fire(schedule: Schedule, *, now: dt.datetime) -> bool:
    """Run one tick and set the next; return whether a task was submitted.

    An invalid schedule stops no other.
    """
    tick = schedule.next_at
    assert tick is not None
    is_missed = _is_missed(schedule, tick, now=now)
    # The last moment of which the ticks are dealt with now.
    match schedule.catch_up:
        case CatchUp.ALL:
            until = max(tick, now - CATCH_UP_PERIOD)
        case CatchUp.NONE:
            until = max(tick, now - MISSED_AFTER)
        case _:
            until = now
    try:
        schedule.next_at = schedule.cron_expression.next_tick(after=until)
    except InvalidInput as error:
        # Its time zone may be unknown on this machine: there is no next tick.
        schedule.enabled, schedule.next_at = False, None
        _record_error(schedule, error, "schedule disabled: it has no next tick", at=now)
        return False
    others = _others(schedule, tick, until=until)
    is_too_old = schedule.catch_up == CatchUp.ALL and tick < now - CATCH_UP_PERIOD
    if is_missed and (is_too_old or schedule.catch_up == CatchUp.NONE):
        note = f"Missed{others and f', with {others}'}: no worker was alive to run it in time."
        _leave_out(schedule, note, tick=tick, at=now)
        return False
    if schedule.overlap == Overlap.SKIP and schedule.has_unfinished_task():
        _leave_out(schedule, "Left out: a task of an earlier run had not ended.", tick=tick, at=now)
        return False
    # Not for security: tasks of many schedules should not all start at once.
    delay = random.uniform(0, schedule.jitter) if schedule.jitter else None  # noqa: S311
    metadata = {"schedule": schedule.name, "tick": tick.isoformat()}
    try:
        task = _submit(schedule, metadata, delay=delay)
    except TaskError as error:
        event = "schedule ran without submitting a task"
        _record_error(schedule, error, event, tick=tick, at=now)
        return False
    note = f"It also stands for {others}, which had been missed." if others else ""
    _note(schedule, task, tick=tick, at=now, note=note)
    save(schedule)
    return True


def _is_missed(schedule: Schedule, tick: dt.datetime, *, now: dt.datetime) -> bool:
    """Return whether a tick is late though nothing held it up but a lack of workers."""
    if now - tick <= MISSED_AFTER:
        return False
    # It may have waited for the end of an earlier task.
    held_until = schedule.last_end() if schedule.overlap == Overlap.QUEUE else None
    return held_until is None or now - max(tick, held_until) > MISSED_AFTER


def _others(schedule: Schedule, tick: dt.datetime, *, until: dt.datetime) -> str:
    """Return in words how many ticks after this one are dealt with together; empty for none."""
    later = islice(schedule.cron_expression.ticks(after=tick), COUNTED_TICKS)
    count = sum(1 for _ in takewhile(lambda each: each <= until, later))
    if count == COUNTED_TICKS:
        return f"more than {COUNTED_TICKS:,} later ones"
    return f"{count} later {'one' if count == 1 else 'ones'}" if count else ""


def _submit(
    schedule: Schedule,
    metadata: dict[str, Any],
    *,
    delay: float | None = None,
    idempotency_key: str | None = None,
) -> Task:
    return lifecycle.submit(
        schedule.kind,
        schedule.input,
        owner=schedule.owner,
        queue=schedule.queue or None,
        metadata=metadata,
        delay=delay,
        idempotency_key=idempotency_key,
    )


def _note(
    schedule: Schedule,
    task: Task,
    *,
    at: dt.datetime,
    tick: dt.datetime | None = None,
    note: str = "",
) -> None:
    schedule.last_at, schedule.last_task_id, schedule.last_error = at, task.id, ""
    _add_run(schedule, tick=tick, at=at, task_id=task.id, note=note)


def _leave_out(schedule: Schedule, why: str, *, tick: dt.datetime, at: dt.datetime) -> None:
    log.warning("schedule left a run out", extra={"schedule": schedule.name, "reason": why})
    _add_run(schedule, tick=tick, at=at, note=why)
    save(schedule)


def _record_error(
    schedule: Schedule,
    error: TaskError,
    event: str,
    *,
    at: dt.datetime,
    tick: dt.datetime | None = None,
) -> None:
    log.error(event, extra={"schedule": schedule.name, "error": type(error).__name__})
    schedule.last_error = str(error)[:500]
    _add_run(schedule, tick=tick, at=at, note=schedule.last_error)
    save(schedule)


def _add_run(schedule: Schedule, **values: Any) -> None:
    """Keep a run, and the newest before it."""
    ScheduleRun.objects.create(schedule=schedule, **values)
    if oldest := schedule.runs.values_list("pk", flat=True)[RUNS_KEPT - 1 : RUNS_KEPT].first():
        schedule.runs.filter(pk__lt=oldest).delete()
