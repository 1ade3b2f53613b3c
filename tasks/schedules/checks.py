"""Checks of a schedule's fields."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace

from django.db.models import TextChoices

from tasks.errors import FieldError, InvalidInput, UnknownKind
from tasks.lifecycle.preparation import prepare
from tasks.models import CatchUp, Overlap, Schedule
from tasks.whole_number import checked_whole_number

NAME_LENGTH = 100
# Seconds; a day.
JITTER_LIMIT = 86_400
SUBMITTED = {"kind", "input", "queue"}
TIMED = {"cron", "timezone"}
CHOICES: dict[str, type[TextChoices]] = {"overlap": Overlap, "catch_up": CatchUp}


def check(schedule: Schedule, touched: Set[str]) -> None:
    """Raise InvalidInput for every touched field that is wrong."""
    errors: list[FieldError] = []
    if "name" in touched and not _is_name(schedule.name):
        errors.append(FieldError("name", f"Use 1 to {NAME_LENGTH} printable characters."))
    if touched & (SUBMITTED | {"jitter"}):
        try:
            # As its latest task: with a kind's expiry, its jitter may be too long.
            prepare(
                schedule.kind,
                schedule.input,
                queue=schedule.queue or None,
                delay=_longest_delay(schedule),
            )
        except UnknownKind as error:
            errors.append(FieldError("kind", str(error)))
        except InvalidInput as error:
            errors += [
                replace(each, field="jitter") if each.field == "expires_in" else each
                for each in error.errors
            ]
    if touched & TIMED:
        errors += schedule.cron_expression.mistakes()
    for field in sorted(touched & CHOICES.keys()):
        if getattr(schedule, field) not in CHOICES[field].values:
            errors.append(FieldError(field, f"Use {', '.join(CHOICES[field].values)}."))
    if "jitter" in touched:
        mistake = f"Use a whole number of seconds from 0 to {JITTER_LIMIT}."
        try:
            checked_whole_number(schedule.jitter, 0, JITTER_LIMIT, mistake)
        except ValueError as error:
            errors.append(FieldError("jitter", str(error)))
    if errors:
        raise InvalidInput(errors)


def _longest_delay(schedule: Schedule) -> float | None:
    """Return the latest start after a tick; None for no jitter, or one that is not valid."""
    try:
        return checked_whole_number(schedule.jitter, 1, JITTER_LIMIT, "")
    except ValueError:
        return None


def _is_name(name: str) -> bool:
    return 0 < len(name) <= NAME_LENGTH and name.isprintable() and name == name.strip()
