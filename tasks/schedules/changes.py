"""Changes: schedules are created, changed and removed."""

from __future__ import annotations

import datetime as dt
from typing import Any, TypedDict, Unpack

from django.contrib.auth.models import User
from django.db import transaction

from tasks import sql
from tasks.models import CatchUp, Overlap, Schedule
from tasks.schedules.checks import CHOICES, SUBMITTED, TIMED, check
from tasks.schedules.storing import locked, save


class Changes(TypedDict, total=False):
    """The fields of a schedule that can be changed; no queue means the kind's own."""

    name: str
    kind: str
    input: dict[str, Any]
    queue: str | None
    cron: str
    timezone: str
    enabled: bool
    overlap: str
    catch_up: str
    jitter: int


def create(
    *,
    name: str,
    kind: str,
    cron: str,
    input: dict[str, Any] | None = None,
    queue: str | None = None,
    timezone: str = "UTC",
    enabled: bool = True,
    overlap: str = Overlap.ALLOW,
    catch_up: str = CatchUp.ONCE,
    jitter: int = 0,
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
        overlap=overlap,
        catch_up=catch_up,
        jitter=jitter,
        owner=owner,
    )
    check(schedule, {"name", *SUBMITTED, *TIMED, *CHOICES, "jitter"})
    schedule.next_at = _next_at(schedule)
    save(schedule, force_insert=True)
    return schedule


def change(schedule: Schedule, **changes: Unpack[Changes]) -> Schedule:
    """Change the given fields; raise InvalidInput naming the fields, or ScheduleGone.

    An enabled schedule waits for its next tick: what it missed while disabled is not made up for.
    """
    values: dict[str, Any] = {**changes}
    if "queue" in values:
        values["queue"] = values["queue"] or ""
    with transaction.atomic():
        stored = locked(schedule)
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
        check(stored, touched | (SUBMITTED | TIMED if is_enabling else set()))
        if touched & {"enabled", *TIMED}:
            stored.next_at = _next_at(stored)
        if touched & {"enabled", *SUBMITTED, *TIMED}:
            stored.last_error = ""
        save(stored)
    return stored


def remove(schedule: Schedule) -> None:
    """Delete a schedule; its tasks stay."""
    Schedule.objects.filter(pk=schedule.pk).delete()


def _next_at(schedule: Schedule) -> dt.datetime | None:
    return (
        schedule.cron_expression.next_tick(after=sql.database_now()) if schedule.enabled else None
    )
