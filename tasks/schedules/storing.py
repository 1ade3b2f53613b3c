"""Storing: the row of a schedule, locked and saved."""

from __future__ import annotations

import psycopg
from django.db import IntegrityError, transaction

from tasks.errors import FieldError, InvalidInput, ScheduleGone
from tasks.models import Schedule


def locked(schedule: Schedule) -> Schedule:
    rows = Schedule.objects.select_related("owner").select_for_update(of=("self",))
    if stored := rows.filter(pk=schedule.pk).first():
        return stored
    raise ScheduleGone


def save(schedule: Schedule, *, force_insert: bool = False) -> None:
    try:
        with transaction.atomic():
            schedule.save(force_insert=force_insert)
    except IntegrityError as error:
        if not isinstance(error.__cause__, psycopg.errors.UniqueViolation):
            raise
        raise InvalidInput(
            [FieldError("name", "A schedule with this name already exists.")]
        ) from error
