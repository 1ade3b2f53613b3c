"""Strict JSON: only what PostgreSQL can store; hostile documents are refused cheaply."""

from __future__ import annotations

import codecs
import json
import math
import re
from collections import Counter
from typing import Any, NoReturn

MAX_DEPTH = 32
# In the whole document, counted as commas and opening brackets.
MAX_VALUES = 200_000
# In one array or object; a batch of 10,000 tasks fits.
MAX_ITEMS = 50_000
MIN_INTEGER, MAX_INTEGER = -(2**63), 2**63 - 1

_NOT_STRUCTURE = bytes(byte for byte in range(256) if byte not in b"[]{},")
_ONE_BRACKET = bytes.maketrans(b"{}", b"[]")
# UTF-8 has no half surrogate pairs and a JSON string no bare NUL: only escapes produce them.
_SUSPECT_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class MalformedJSON(ValueError):
    """A document that is refused; the message is a sentence for its sender."""


def parse_json(body: bytes) -> Any:
    """Return the value of a UTF-8 JSON document; raise MalformedJSON."""
    if body.startswith(codecs.BOM_UTF8):
        raise MalformedJSON("The JSON starts with a byte order mark.")
    values = measure(body)
    try:
        text = body.decode()
        value = _DECODER.decode(text)
    except UnicodeDecodeError as error:
        raise MalformedJSON(f"The JSON is not UTF-8 at byte {error.start}.") from None
    except json.JSONDecodeError as error:
        raise MalformedJSON(
            f"This is not JSON: {error.msg} (line {error.lineno}, column {error.colno})."
        ) from None
    if values > MAX_ITEMS and _is_crowded([value]):
        raise _too_long("array")
    if _SUSPECT_ESCAPE.search(text) and (path := _unstorable([value])):
        place = ".".join(path[1:]) or "the top"
        raise MalformedJSON(
            f"The text at {place} contains a character that is not allowed:"
            " NUL or half a surrogate pair."
        )
    return value


def measure(body: bytes) -> int:
    """Return how many values the document holds at most; raise MalformedJSON if too many or deep.

    A few passes in C: without its strings, a document's commas count its values, and removing the
    innermost pairs of brackets again and again counts its depth.
    """
    bare = body.replace(rb"\\", b"").replace(rb"\"", b"") if b"\\" in body else body
    # A value has at most two strings: with more quotes than this there are too many values.
    if bare.count(b'"') > 4 * MAX_VALUES:
        raise MalformedJSON(f"The JSON holds more than {MAX_VALUES:,} values.")
    structure = b"".join(bare.split(b'"')[::2]).translate(_ONE_BRACKET, _NOT_STRUCTURE)
    brackets = structure.replace(b",", b"")
    values = len(structure) - len(brackets) + brackets.count(b"[")
    if values > MAX_VALUES:
        raise MalformedJSON(f"The JSON holds more than {MAX_VALUES:,} values.")
    for _ in range(MAX_DEPTH):
        brackets = brackets.replace(b"[]", b"")
    # Brackets left of a shallow document do not match: the decoder reports where.
    if b"[]" in brackets or brackets.count(b"[") > MAX_DEPTH:
        raise MalformedJSON(f"The JSON is nested deeper than {MAX_DEPTH} levels.")
    return values


def _is_crowded(value: dict[str, Any] | list[Any]) -> bool:
    """Return whether an array or object somewhere within has more than MAX_ITEMS."""
    items = value.values() if isinstance(value, dict) else value
    return len(items) > MAX_ITEMS or any(
        _is_crowded(item) for item in items if isinstance(item, (dict, list))
    )


def _unstorable(value: dict[str, Any] | list[Any]) -> tuple[str, ...]:
    """Return the path to the first text that PostgreSQL cannot hold, empty if there is none."""
    for name, item in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(name, str) and _UNSTORABLE.search(name):
            return (ascii(name[:40]),)
        if isinstance(item, str) and _UNSTORABLE.search(item):
            return (str(name)[:40],)
        if isinstance(item, (dict, list)) and (rest := _unstorable(item)):
            return (str(name)[:40], *rest)
    return ()


def _unique_names(members: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(members) > MAX_ITEMS:
        raise _too_long("object")
    value = dict(members)
    if len(value) != len(members):
        [(name, _)] = Counter(name for name, _ in members).most_common(1)
        raise MalformedJSON(f"The name {name[:40]!a} appears twice in one object.")
    return value


def _integer(literal: str) -> int:
    # Twenty characters hold every 64-bit integer; int() of a million digits would cost seconds.
    if len(literal) <= 20 and MIN_INTEGER <= (integer := int(literal)) <= MAX_INTEGER:
        return integer
    raise MalformedJSON(f"The integer {_shortened(literal)} is beyond 64 bits.")


def _number(literal: str) -> float:
    number = float(literal)
    if math.isinf(number):
        raise MalformedJSON(f"The number {_shortened(literal)} is out of range.")
    return number


def _constant(literal: str) -> NoReturn:
    raise MalformedJSON(f"{literal} is not a JSON value.")


def _shortened(literal: str) -> str:
    return literal if len(literal) <= 40 else f"{literal[:40]}…"


def _too_long(container: str) -> MalformedJSON:
    return MalformedJSON(f"The JSON has an {container} of more than {MAX_ITEMS:,} items.")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique_names,
    parse_int=_integer,
    parse_float=_number,
    parse_constant=_constant,
)
