"""The Retry-After header (RFC 9110, section 10.2.3)."""

from __future__ import annotations

import datetime as dt

from django.utils.http import parse_http_date_safe

# A number with more digits than a date in microseconds has is ignored.
_MAX_DIGITS = 20


def retry_after_seconds(value: str, *, now: dt.datetime) -> float | None:
    """Return the seconds that a header requests, below zero for a date that has passed.

    Both forms are read: a number of seconds and an HTTP date. Fractions of a second are allowed.
    None for a header that is missing or cannot be read.
    """
    value = value.strip()
    if (seconds := header_number(value)) is not None:
        return seconds
    moment = parse_http_date_safe(value)
    return None if moment is None else moment - now.timestamp()


def header_number(value: str) -> float | None:
    """Return a header's value as an unsigned number; None if it is not one."""
    is_number = value.isascii() and value.replace(".", "", 1).isdecimal()
    return float(value) if is_number and len(value) <= _MAX_DIGITS else None
