"""JSON documents for PostgreSQL: stored as they are, or refused with the place and the reason."""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
from decimal import Decimal
from typing import Any
from uuid import UUID

import orjson
import pytest
from django.db import connection

from tasks.postgres.json import NotStorable, to_json

LIMIT = 10_000
_NOT_FINITE = "is NaN or infinity, which JSON does not have"
_TOO_DEEP = "is nested too deeply, or contains itself"


@dataclasses.dataclass
class Point:
    """A value with fields."""

    x: float


class Size(enum.Enum):
    """A value with a name."""

    SMALL = 1
    ENDLESS = float("inf")


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth - 1):
        value = {"a": value}
    return value


def in_itself() -> dict[str, Any]:
    value: dict[str, Any] = {}
    value["a"] = [value]
    return value


@pytest.mark.parametrize(
    ("value", "path", "reason"),
    [
        ({"mean": float("nan")}, "mean", _NOT_FINITE),
        ({"a": [1.0, (2.0, float("-inf"))]}, "a.1.1", _NOT_FINITE),
        ({"point": Point(float("nan"))}, "point.x", _NOT_FINITE),
        ({"size": Size.ENDLESS}, "size.value", _NOT_FINITE),
        ({"none": None, "later": float("inf")}, "later", _NOT_FINITE),
        ({float("nan"): 1}, "", f"has a key that {_NOT_FINITE}"),
        ({"d": Decimal("1.5")}, "d", "is not JSON: decimal.Decimal"),
        ({"a": [{"b": {1, 2}}]}, "a.0.b", "is not JSON: set"),
        ({"a": b"bytes"}, "a", "is not JSON: bytes"),
        ({"n": 2**64}, "n", "is an integer beyond 64 bits"),
        ({"s": "\ud83d"}, "s", "contains half a surrogate pair"),
        ({"\ud83d": 1}, "", "contains half a surrogate pair"),
        ({"a": {(1, 2): 3}}, "a", "has a key that is not a text"),
        ({"a": "b\0"}, "a", "contains a NUL character"),
        ({"a": [{"b\0": 1}]}, "a.0", "has a key that contains a NUL character"),
        ({1: "a", "1": "b"}, "", "has two keys that both become '1' in JSON"),
        ({"a": {None: 1, "null": 2}}, "a", "has two keys that both become 'null' in JSON"),
        (in_itself(), "", _TOO_DEEP),
        (nested(201), "", _TOO_DEEP),
        ({"a": "x" * LIMIT}, "", "is too large: 10,008 bytes, where at most 10,000 are allowed"),
    ],
)
def test_what_cannot_be_stored_is_refused_by_place_and_reason(value, path, reason):
    with pytest.raises(NotStorable) as refused:
        to_json(value, limit=LIMIT)
    assert (refused.value.path, refused.value.reason) == (path, reason)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("value", "read"),
    [
        ({"text": "\\u0000 is written with a backslash"}, None),
        ({"a": None, "b": [None, 1.5, True]}, None),
        ({"n": [2**63, -(2**63), 2**64 - 1]}, None),
        (nested(200), None),
        ({1: "a", 2: {"x": "b"}}, {"1": "a", "2": {"x": "b"}}),
        ({"point": Point(1.5), "size": Size.SMALL}, {"point": {"x": 1.5}, "size": 1}),
        ({"at": dt.date(2026, 5, 1), "id": UUID(int=1)},
         {"at": "2026-05-01", "id": "00000000-0000-0000-0000-000000000001"}),
    ],
)  # fmt: skip
def test_what_can_be_stored_is_read_back(value, read):
    document = to_json(value, limit=LIMIT)
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::jsonb", [document.decode()])
        ((stored,),) = cursor.fetchall()
    assert orjson.loads(stored) == (value if read is None else read)
