"""The verbs of a schedule's life. Nothing else writes one."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Set
from typing import Any, TypedDict, Unpack

import psycopg
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import DurationField, ExpressionWrapper, Min
from django.db.models.functions import Now

from tasks import kinds, lifecycle, sql
from tasks.errors import FieldError, InvalidInput, ScheduleGone, TaskError, UnknownKind
from tasks.lifecycle.preparation import prepare
from tasks.models import Schedule, Task

log = logging.getLogger(__name__)

NAME_LENGTH = 100
_SUBMITTED = {"kind", "input", "queue"}
_TIMED = {"cron", "timezone"}


class Changes(TypedDict, total=False):
    """What of a schedule can be changed; no queue means the kind's own."""

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
    """Make a schedule, whose tasks will be the owner's; raise InvalidInput naming the fields."""
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
    """Change what is given; raise InvalidInput naming the fields, or ScheduleGone.

    A schedule that is switched on waits for its next tick: what it missed is not made up for.
    """
    wanted: dict[str, Any] = {**changes}
    if "queue" in wanted:
        wanted["queue"] = wanted["queue"] or ""
    with transaction.atomic():
        stored = _locked(schedule)
        # To Python 1 is equal to true: an input may have changed for all that.
        touched = {
            name
            for name, value in wanted.items()
            if name == "input" or getattr(stored, name) != value
        }
        for name in touched:
            setattr(stored, name, wanted[name])
        # What is off may stay wrong, such as of a kind that is no more, until it is switched on.
        switched_on = "enabled" in touched and stored.enabled
        _check(stored, touched | (_SUBMITTED | _TIMED if switched_on else set()))
        if touched & {"enabled", *_TIMED}:
            stored.next_at = _next_at(stored)
        if touched & {"enabled", *_SUBMITTED, *_TIMED}:
            stored.last_error = ""
        _save(stored)
    return stored


def remove(schedule: Schedule) -> None:
    """Delete a schedule; its tasks stay."""
    Schedule.objects.filter(pk=schedule.pk).delete()


def run_now(schedule: Schedule) -> Task:
    """Submit the schedule's task at once, be it on or off; its next tick comes all the same.

    Raises UnknownKind or InvalidInput for what cannot be submitted, or ScheduleGone.
    """
    with transaction.atomic():
        stored = _locked(schedule)
        task = _submit(stored, {"schedule": stored.name})
        _note(stored, task, at=task.created_at)
        _save(stored)
    return task


def fire_due() -> int:
    """Submit the task of every schedule that is due by the database's clock; return how many.

    Each in a transaction of its own, which holds the row: however many call this at once, a tick
    fires once, and it has fired if and only if the task is queued. Ticks that nobody was there
    for fire once, together. A schedule of a kind unknown here is left to a process that knows it.
    """
    fired = 0
    while _fire_next():
        fired += 1
    return fired


def seconds_until_next() -> float | None:
    """Return after how many seconds something is due, negative where it is; None for never."""
    left = ExpressionWrapper(Min("next_at") - Now(), output_field=DurationField())
    known = Schedule.objects.of_kinds(kinds.all_kinds())
    seconds: dt.timedelta | None = known.aggregate(left=left)["left"]
    return None if seconds is None else seconds.total_seconds()


def _fire_next() -> bool:
    with transaction.atomic():
        due = Schedule.objects.of_kinds(kinds.all_kinds()).due()
        found: Any = due.select_for_update(of=("self",), skip_locked=True).first()
        if found is None:
            return False
        _fire(found, now=found.seen_at)
    return True


def _fire(schedule: Schedule, *, now: dt.datetime) -> None:
    """Submit what the tick is for and wait for the next; a schedule gone wrong stops no other."""
    tick = schedule.next_at
    assert tick is not None
    try:
        schedule.next_at = schedule.cron_expression.next_tick(after=now)
    except InvalidInput as error:
        # Its time zone may be unknown on this machine: it cannot be waited for.
        schedule.enabled, schedule.next_at = False, None
        _complain(schedule, error, "schedule switched off")
        return
    try:
        task = _submit(schedule, {"schedule": schedule.name, "tick": tick.isoformat()})
    except TaskError as error:
        _complain(schedule, error, "schedule submitted nothing")
        return
    _note(schedule, task, at=now)
    _save(schedule)


def _submit(schedule: Schedule, metadata: dict[str, Any]) -> Task:
    return lifecycle.submit(
        schedule.kind,
        schedule.input,
        owner=schedule.owner,
        queue=schedule.queue or None,
        metadata=metadata,
    )


def _note(schedule: Schedule, task: Task, *, at: dt.datetime) -> None:
    schedule.last_at, schedule.last_task_id, schedule.last_error = at, task.id, ""


def _complain(schedule: Schedule, error: TaskError, event: str) -> None:
    log.error(event, extra={"schedule": schedule.name, "error": type(error).__name__})
    schedule.last_error = str(error)[:500]
    _save(schedule)


def _check(schedule: Schedule, touched: Set[str]) -> None:
    """Raise InvalidInput for whatever of the touched fields is wrong."""
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
    if found := rows.filter(pk=schedule.pk).first():
        return found
    raise ScheduleGone


def _save(schedule: Schedule, *, force_insert: bool = False) -> None:
    try:
        with transaction.atomic():
            schedule.save(force_insert=force_insert)
    except IntegrityError as error:
        if not isinstance(error.__cause__, psycopg.errors.UniqueViolation):
            raise
        raise InvalidInput([FieldError("name", "There is a schedule of this name.")]) from error
