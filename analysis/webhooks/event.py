"""What a platform tells of, in one shape for all of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from tasks.postgres.text import storable

# Longer than any platform lets people write.
LONGEST_TEXT = 10_000
_LONGEST_NAME = 200


class UnknownShape(ValueError):
    """The payload is none of the platform's."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """Somebody said something; `id` is the platform's name for the event, empty where it has none.

    `sender` and `channel` are its names for who said it, and to which of our sides.
    """

    id: str
    sender: str
    text: str
    channel: str = ""


def event(*, id: Any, sender: Any, text: Any, channel: Any = "") -> Event | None:
    """Return an event out of what was sent; None where nobody said anything."""
    said = storable(text)[:LONGEST_TEXT] if isinstance(text, str) else ""
    if not said.strip():
        return None
    return Event(id=_distinct(id), sender=name(sender), text=said, channel=name(channel))


def name(value: Any) -> str:
    """Return a name as it can be stored, empty for what is none."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return storable(value)[:_LONGEST_NAME] if isinstance(value, str) else ""


def _distinct(id: Any) -> str:
    """Return the name of an event; one too long to be kept has a digest in its place."""
    kept = name(id)
    if kept and len(id if isinstance(id, str) else kept) > _LONGEST_NAME:
        return hashlib.sha256(id.encode(errors="replace")).hexdigest()
    return kept


def part(value: Any, key: str) -> dict[str, Any]:
    """Return an object inside another, empty where there is none."""
    inner = value.get(key) if isinstance(value, dict) else None
    return inner if isinstance(inner, dict) else {}


def parts(value: Any, key: str) -> list[dict[str, Any]]:
    """Return the objects of a list inside an object."""
    inner = value.get(key) if isinstance(value, dict) else None
    return [one for one in inner if isinstance(one, dict)] if isinstance(inner, list) else []
