"""Event: a user's message on a platform, in one shape for all platforms."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from tasks.postgres.text import storable

# Longer than any platform's messages.
LONGEST_TEXT = 10_000
_LONGEST_NAME = 200
# A time that is farther ahead is a mistake, and ignored.
_FARTHEST = dt.timedelta(days=366)
# The year 5138 in seconds, 1973 in milliseconds.
_MOST_SECONDS = 1e11
# What JSON Schema does not count as `\S` in a message, and more.
_BLANK = re.compile(r"[\s\ufeff]*")


class UnknownShape(ValueError):
    """The payload does not have the platform's shape."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """One message.

    `id` is the platform's id of the event, empty if it has none; `sender` and `channel` are its
    names for the sender and for the receiving page, agent or account; `sent_at` is None if the
    payload does not have the time.
    """

    id: str
    sender: str
    text: str
    channel: str = ""
    sent_at: dt.datetime | None = None


def event(
    *, id: Any, sender: Any, text: Any, channel: Any = "", sent_at: dt.datetime | None = None
) -> Event | None:
    """Return an event with its fields cut to what can be stored; None if it has no text."""
    stored = storable(text)[:LONGEST_TEXT] if isinstance(text, str) else ""
    if _BLANK.fullmatch(stored):
        return None
    return Event(
        id=_event_id(id),
        sender=name(sender),
        text=stored,
        channel=name(channel),
        sent_at=sent_at if sent_at and sent_at < timezone.now() + _FARTHEST else None,
    )


def from_unix(value: Any) -> dt.datetime | None:
    """Return the time that is so many milliseconds or seconds after 1970; None for other values."""
    try:
        seconds = value / 1000 if value > _MOST_SECONDS else value
        return dt.datetime.fromtimestamp(seconds, dt.UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def from_iso(value: Any) -> dt.datetime | None:
    """Return the time that an RFC 3339 text names; None for any other value."""
    try:
        moment = dt.datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


def name(value: Any) -> str:
    """Return a text or number as a name that can be stored; empty for any other value."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    # Cut first: thousands of events may share one page whose name has megabytes.
    return storable(value[:_LONGEST_NAME]) if isinstance(value, str) else ""


def _event_id(id: Any) -> str:
    """Return an id that can be stored; the digest of one that is too long."""
    kept = name(id)
    if kept and len(id if isinstance(id, str) else kept) > _LONGEST_NAME:
        return hashlib.sha256(id.encode(errors="replace")).hexdigest()
    return kept


def part(value: Any, key: str) -> dict[str, Any]:
    """Return the object under a key; an empty one if there is none."""
    inner = value.get(key) if isinstance(value, dict) else None
    return inner if isinstance(inner, dict) else {}


def parts(value: Any, key: str) -> list[dict[str, Any]]:
    """Return the objects in the list under a key."""
    inner = value.get(key) if isinstance(value, dict) else None
    return [item for item in inner if isinstance(item, dict)] if isinstance(inner, list) else []
