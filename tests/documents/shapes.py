"""Expected responses: plain JSON, with shapes in place of values that vary."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Shape:
    """A named set of values, with a test of membership."""

    name: str
    holds: Callable[[Any], bool]

    def __repr__(self) -> str:
        return f"<{self.name}>"


@dataclass(frozen=True)
class AtLeast:
    """An object with at least these members."""

    members: dict[str, Any]

    def __repr__(self) -> str:
        return f"{{{', '.join([*map(repr, self.members), '…'])}}}"


@dataclass(frozen=True)
class Each:
    """A list or an object, possibly empty, in which every value matches."""

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
    """Return the shape that matches any of the values."""
    return Shape("|".join(map(str, values)), lambda value: value in values)


def either(*expected: Any) -> Shape:
    """Return the shape that matches any of several expectations."""
    name = " or ".join(map(repr, expected))
    return Shape(
        name, lambda value: any(not list(differences(option, value)) for option in expected)
    )


def differences(expected: Any, value: Any, path: str = "") -> Iterator[str]:
    """Yield each difference between a value and the expected one, in types and extra keys too."""
    if isinstance(expected, Shape):
        if not expected.holds(value):
            yield f"{path or 'answer'} is {value!r}, not {expected!r}"
    elif isinstance(expected, dict | AtLeast):
        yield from _members(expected, value, path)
    elif isinstance(expected, Each) and isinstance(value, dict):
        yield from _members(dict.fromkeys(value, expected.item), value, path)
    elif isinstance(expected, list | Each):
        yield from _items(expected, value, path)
    elif type(expected) is not type(value) or expected != value:
        yield f"{path or 'answer'} is {value!r}, not {expected!r}"


def _members(expected: dict[str, Any] | AtLeast, value: Any, path: str) -> Iterator[str]:
    members = expected.members if isinstance(expected, AtLeast) else expected
    if not isinstance(value, dict):
        yield f"{path or 'answer'} is {value!r}, not an object"
        return
    for name, member in members.items():
        member_path = f"{path}.{name}".lstrip(".")
        if name in value:
            yield from differences(member, value[name], member_path)
        else:
            yield f"{member_path} is missing"
    if not isinstance(expected, AtLeast):
        extra = [name for name in value if name not in members]
        yield from (f"{path}.{name} is not expected".lstrip(".") for name in extra)


def _items(expected: list[Any] | Each, value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"{path or 'answer'} is {value!r}, not a list"
        return
    items = [expected.item] * len(value) if isinstance(expected, Each) else expected
    if len(items) != len(value):
        yield f"{path or 'answer'} has {len(value)} items, not {len(items)}"
    for index, (expected_item, item) in enumerate(zip(items, value, strict=False)):
        yield from differences(expected_item, item, f"{path}[{index}]")
