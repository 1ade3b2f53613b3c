"""What an answer is expected to be: plain JSON, with shapes where an example's value is any."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Shape:
    """A set of values, by a name for it and a test of membership."""

    name: str
    holds: Callable[[Any], bool]

    def __repr__(self) -> str:
        return f"<{self.name}>"


@dataclass(frozen=True)
class AtLeast:
    """An object with these members, and maybe others."""

    members: dict[str, Any]

    def __repr__(self) -> str:
        return f"{{{', '.join([*map(repr, self.members), '…'])}}}"


@dataclass(frozen=True)
class Each:
    """A list or an object of any size, empty too, all of whose values are so."""

    item: Any

    def __repr__(self) -> str:
        return f"[{self.item!r}, …]"


def _is_time(value: Any) -> bool:
    try:
        return dt.datetime.fromisoformat(value).tzinfo is not None
    except (TypeError, ValueError):
        return False


def _is_uuid(value: Any) -> bool:
    try:
        return str(uuid.UUID(value)) == str(value)
    except (AttributeError, TypeError, ValueError):
        return False


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0


TASK_ID = Shape("task id", _is_uuid)
TIME = Shape("time", _is_time)
TEXT = Shape("text", lambda value: isinstance(value, str) and value != "")
COUNT = Shape("count", _is_count)
NUMBER = Shape("number", lambda value: type(value) in (int, float))
PERCENT = Shape("percent", lambda value: _is_count(value) and value <= 100)


def one_of(*values: Any) -> Shape:
    """Return the shape of one of some values."""
    return Shape("|".join(map(str, values)), lambda value: value in values)


def either(*expected: Any) -> Shape:
    """Return the shape of what fits one of several expectations."""
    name = " or ".join(map(repr, expected))
    return Shape(name, lambda value: any(not list(differences(one, value)) for one in expected))


def differences(expected: Any, got: Any, at: str = "") -> Iterator[str]:
    """Say, one by one, where a value is not as expected; types count, and so do extra keys."""
    if isinstance(expected, Shape):
        if not expected.holds(got):
            yield f"{at or 'answer'} is {got!r}, not {expected!r}"
    elif isinstance(expected, dict | AtLeast):
        yield from _members(expected, got, at)
    elif isinstance(expected, Each) and isinstance(got, dict):
        yield from _members(dict.fromkeys(got, expected.item), got, at)
    elif isinstance(expected, list | Each):
        yield from _items(expected, got, at)
    elif type(expected) is not type(got) or expected != got:
        yield f"{at or 'answer'} is {got!r}, not {expected!r}"


def _members(expected: dict[str, Any] | AtLeast, got: Any, at: str) -> Iterator[str]:
    members = expected.members if isinstance(expected, AtLeast) else expected
    if not isinstance(got, dict):
        yield f"{at or 'answer'} is {got!r}, not an object"
        return
    for name, value in members.items():
        inside = f"{at}.{name}".lstrip(".")
        if name in got:
            yield from differences(value, got[name], inside)
        else:
            yield f"{inside} is missing"
    if not isinstance(expected, AtLeast):
        yield from (f"{at}.{name} is too much".lstrip(".") for name in got if name not in members)


def _items(expected: list[Any] | Each, got: Any, at: str) -> Iterator[str]:
    if not isinstance(got, list):
        yield f"{at or 'answer'} is {got!r}, not a list"
        return
    items = [expected.item] * len(got) if isinstance(expected, Each) else expected
    if len(items) != len(got):
        yield f"{at or 'answer'} has {len(got)} items, not {len(items)}"
    for index, (one, other) in enumerate(zip(items, got, strict=False)):
        yield from differences(one, other, f"{at}[{index}]")
