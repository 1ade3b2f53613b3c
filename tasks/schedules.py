"""Schedules: the verbs of their lifecycle. Nothing else writes one."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Set
from typing import Any, TypedDict, Unpack

import psycopg
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import DurationField, ExpressionWrapper, FloatField, Min
from django.db.models.functions import Cast, Extract, Now

from tasks import kinds, lifecycle, sql
from tasks.errors import FieldError, InvalidInput, ScheduleGone, TaskError, UnknownKind
from tasks.lifecycle.preparation import prepare
from tasks.models import Schedule, Task

log = logging.getLogger(__name__)

NAME_LENGTH = 100
_SUBMITTED = {"kind", "input", "queue"}
_TIMED = {"cron", "timezone"}


class Changes(TypedDict, total=False):
    """The fields of a schedule that can be changed; no queue means the kind's own."""

    name: str
    kind: str
    input: dict[str, Any]
    queue: str | None
    cron: str
    timezone: str
    enabled: bool


def create(
    *,
    name: str,
    kind: str,
    cron: str,
    input: dict[str, Any] | None = None,
    queue: str | None = None,
    timezone: str = "UTC",
    enabled: bool = True,
    owner: User | None = None,
) -> Schedule:
    """Create a schedule; its tasks will be the owner's. Raise InvalidInput naming the fields."""
    schedule = Schedule(
        name=name,
        kind=kind,
        cron=cron,
        input={} if input is None else input,
        queue=queue or "",
        timezone=timezone,
        enabled=enabled,
        owner=owner,
    )
    _check(schedule, {"name", *_SUBMITTED, *_TIMED})
    schedule.next_at = _next_at(schedule)
    _save(schedule, force_insert=True)
    return schedule


def change(schedule: Schedule, **changes: Unpack[Changes]) -> Schedule:
    """Change the given fields; raise InvalidInput naming the fields, or ScheduleGone.

    An enabled schedule waits for its next tick: what it missed while disabled is not made up for.
    """
    values: dict[str, Any] = {**changes}
    if "queue" in values:
        values["queue"] = values["queue"] or ""
    with transaction.atomic():
        stored = _locked(schedule)
        # An input counts as changed: Python finds 1 and true equal.
        touched = {
            name
            for name, value in values.items()
            if name == "input" or getattr(stored, name) != value
        }
        for name in touched:
            setattr(stored, name, values[name])
        # A disabled schedule may stay invalid, such as one of a removed kind, until it is enabled.
        is_enabling = "enabled" in touched and stored.enabled
        _check(stored, touched | (_SUBMITTED | _TIMED if is_enabling else set()))
        if touched & {"enabled", *_TIMED}:
            stored.next_at = _next_at(stored)
        if touched & {"enabled", *_SUBMITTED, *_TIMED}:
            stored.last_error = ""
        _save(stored)
    return stored


def remove(schedule: Schedule) -> None:
    """Delete a schedule; its tasks stay."""
    Schedule.objects.filter(pk=schedule.pk).delete()


def run_now(schedule: Schedule, *, idempotency_key: str | None = None) -> Task:
    """Submit the schedule's task at once, even if disabled; the next tick does not change.

    Raises UnknownKind or InvalidInput if it cannot be submitted, or ScheduleGone; KeyReused for a
    key that belongs to another task of the schedule's owner.
    """
    with transaction.atomic():
        stored = _locked(schedule)
        task = _submit(stored, {"schedule": stored.name}, idempotency_key=idempotency_key)
        if not task.replayed:
            _note(stored, task, at=task.created_at)
            _save(stored)
    return task


def fire_due() -> int:
    """Submit the task of every schedule that is due by the database's clock; return how many.

    Each runs in its own transaction, which locks the row: however many processes call this at
    once, a tick runs once, and it has run if and only if the task is queued. Missed ticks run
    once, together. A schedule whose kind is not registered here is left to other processes.
    """
    fired = 0
    while _fire_next():
        fired += 1
    return fired


def seconds_until_next() -> float | None:
    """Return the seconds until a schedule is due, negative if one is; None if none will be."""
    # As a number: psycopg reads an interval in one of PostgreSQL's four styles only.
    left = ExpressionWrapper(Min("next_at") - Now(), output_field=DurationField())
    seconds = Cast(Extract(left, "epoch"), output_field=FloatField())
    schedules = Schedule.objects.of_kinds(kinds.all_kinds())
    answer: float | None = schedules.aggregate(seconds=seconds)["seconds"]
    return answer


def _fire_next() -> bool:
    with transaction.atomic():
        due = Schedule.objects.of_kinds(kinds.all_kinds()).due()
        schedule: Any = due.select_for_update(of=("self",), skip_locked=True).first()
        if schedule is None:
            return False
        _fire(schedule, now=schedule.seen_at)
    return True


def _fire(schedule: Schedule, *, now: dt.datetime) -> None:
    """Submit the tick's task and set the next tick; an invalid schedule stops no other."""
    tick = schedule.next_at
    assert tick is not None
    try:
        schedule.next_at = schedule.cron_expression.next_tick(after=now)
    except InvalidInput as error:
        # Its time zone may be unknown on this machine: there is no next tick.
        schedule.enabled, schedule.next_at = False, None
        _record_error(schedule, error, "schedule disabled: it has no next tick")
        return
    try:
        task = _submit(schedule, {"schedule": schedule.name, "tick": tick.isoformat()})
    except TaskError as error:
        _record_error(schedule, error, "schedule ran without submitting a task")
        return
    _note(schedule, task, at=now)
    _save(schedule)


def _submit(
    schedule: Schedule, metadata: dict[str, Any], *, idempotency_key: str | None = None
) -> Task:
    return lifecycle.submit(
        schedule.kind,
        schedule.input,
        owner=schedule.owner,
        queue=schedule.queue or None,
        metadata=metadata,
        idempotency_key=idempotency_key,
    )


def _note(schedule: Schedule, task: Task, *, at: dt.datetime) -> None:
    schedule.last_at, schedule.last_task_id, schedule.last_error = at, task.id, ""


def _record_error(schedule: Schedule, error: TaskError, event: str) -> None:
    log.error(event, extra={"schedule": schedule.name, "error": type(error).__name__})
    schedule.last_error = str(error)[:500]
    _save(schedule)


def _check(schedule: Schedule, touched: Set[str]) -> None:
    """Raise InvalidInput for every touched field that is wrong."""
    errors: list[FieldError] = []
    if "name" in touched and not _is_name(schedule.name):
        errors.append(FieldError("name", f"Use 1 to {NAME_LENGTH} printable characters."))
    if touched & _SUBMITTED:
        try:
            prepare(schedule.kind, schedule.input, queue=schedule.queue or None)
        except UnknownKind as error:
            errors.append(FieldError("kind", str(error)))
        except InvalidInput as error:
            errors += error.errors
    if touched & _TIMED:
        errors += schedule.cron_expression.mistakes()
    if errors:
        raise InvalidInput(errors)


def _is_name(name: str) -> bool:
    return 0 < len(name) <= NAME_LENGTH and name.isprintable() and name == name.strip()


def _next_at(schedule: Schedule) -> dt.datetime | None:
    return (
        schedule.cron_expression.next_tick(after=sql.database_now()) if schedule.enabled else None
    )


def _locked(schedule: Schedule) -> Schedule:
    rows = Schedule.objects.select_related("owner").select_for_update(of=("self",))
    if stored := rows.filter(pk=schedule.pk).first():
        return stored
    raise ScheduleGone


def _save(schedule: Schedule, *, force_insert: bool = False) -> None:
    try:
        with transaction.atomic():
            schedule.save(force_insert=force_insert)
    except IntegrityError as error:
        if not isinstance(error.__cause__, psycopg.errors.UniqueViolation):
            raise
        raise InvalidInput(
            [FieldError("name", "A schedule with this name already exists.")]
        ) from error
