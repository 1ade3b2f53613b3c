"""Lenient JSON, for events that a platform has signed.

A platform repeats an event that was refused, holds back those behind it, and unsubscribes a webhook
that continues to refuse. So whatever RFC 8259 leaves to the reader is accepted, and replaced where
PostgreSQL cannot store it. Nothing bounds the cost but the length: check the signature first, or
`strict_json.measure` what has none.
"""

from __future__ import annotations

import json
import math
from typing import Any

from tasks.postgres.text import storable
from tasks.strict_json import MAX_DEPTH, MAX_INTEGER, MIN_INTEGER, MalformedJSON


def parse_leniently(document: bytes) -> Any:
    """Return the value of a JSON document; raise MalformedJSON.

    A byte order mark is ignored, and the last of several members with one name counts. Bytes that
    are not UTF-8 and halves of surrogate pairs are replaced, NUL is removed. Numbers out of range,
    NaN and Infinity become texts, and what is nested deeper than MAX_DEPTH becomes null.
    """
    text = document.decode("utf-8-sig", errors="replace")
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise MalformedJSON(
            f"This is not JSON: {error.msg} (line {error.lineno}, column {error.colno})."
        ) from None
    except RecursionError:
        raise MalformedJSON("The JSON is nested too deep.") from None
    return _stored(value, MAX_DEPTH)


def _stored(value: Any, depth: int) -> Any:
    match value:
        case str():
            return storable(value)
        case dict() | list() if not depth:
            return None
        case dict():
            return {storable(name): _stored(item, depth - 1) for name, item in value.items()}
        case list():
            return [_stored(item, depth - 1) for item in value]
    return value


def _integer(literal: str) -> int | str:
    # Twenty characters hold every 64-bit integer; int() of a million digits would cost seconds.
    if len(literal) <= 20 and MIN_INTEGER <= (integer := int(literal)) <= MAX_INTEGER:
        return integer
    return literal


def _number(literal: str) -> float | str:
    number = float(literal)
    return literal if math.isinf(number) else number


# Not strict: control characters within texts are accepted.
_DECODER = json.JSONDecoder(
    strict=False, parse_int=_integer, parse_float=_number, parse_constant=str
)
