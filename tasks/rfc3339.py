"""Dates and times that callers send (RFC 3339), read in one way everywhere."""

from __future__ import annotations

import datetime as dt
import re

# `fromisoformat` takes 60 to 99 for minutes of an hour more.
_OFFSET_BEYOND_AN_HOUR = re.compile(r"[+-]\d\d:?[6-9]\d(?::?\d\d)?$", re.ASCII)
_LEAP_SECOND = re.compile(r"([T ]\d\d:\d\d):60", re.ASCII)


class InvalidDateTime(ValueError):
    """A text that is not a date and time; the message is a sentence for its sender."""


def parse(text: str, *, default_zone: dt.tzinfo | None = None) -> dt.datetime:
    """Return the moment in UTC; raise InvalidDateTime, also where no time zone is known.

    Reads the other forms of ISO 8601 too. A leap second is read as the second after it. No offset
    leaves this function: PostgreSQL refuses some, and orjson rounds others.
    """
    # `fromisoformat` reads no further than a NUL.
    if not text.isprintable() or _OFFSET_BEYOND_AN_HOUR.search(text):
        raise InvalidDateTime("Invalid date and time (RFC 3339).")
    ordinary, leap_seconds = _LEAP_SECOND.subn(r"\1:59", text.upper())
    try:
        moment = dt.datetime.fromisoformat(ordinary)
    except ValueError:
        raise InvalidDateTime("Invalid date and time (RFC 3339).") from None
    if moment.tzinfo is None and default_zone is None:
        raise InvalidDateTime("The time zone is missing, such as Z or +02:00.")
    try:
        moment = moment.replace(tzinfo=moment.tzinfo or default_zone).astimezone(dt.UTC)
        moment += dt.timedelta(seconds=leap_seconds)
    except OverflowError:
        raise InvalidDateTime("The time is outside the years 1 to 9999.") from None
    # Leap seconds are inserted before midnight in UTC only.
    if leap_seconds and moment.time().replace(microsecond=0) != dt.time():
        raise InvalidDateTime("Invalid date and time (RFC 3339).")
    return moment
