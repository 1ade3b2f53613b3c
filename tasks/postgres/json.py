"""JSON documents that PostgreSQL can store, made from values of handlers and of Django code."""

from __future__ import annotations

import dataclasses
import enum
import json
import math
from collections.abc import Iterator
from typing import Any

import orjson

# A document is part of others, such as the message of a callback; orjson writes 254 levels.
_DEPTH_LIMIT = 200
_MARGIN_OF_ORJSON = 254 - _DEPTH_LIMIT
# An error is searched for only so deep: a value may contain itself.
_SEARCH_DEPTH = 30
_NAME_LENGTH = 40
_TOO_DEEP = "Recursion limit reached"
_REASONS = {
    "str is not valid UTF-8: surrogates not allowed": "contains half a surrogate pair",
    "Integer exceeds 64-bit range": "is an integer beyond 64 bits",
    _TOO_DEEP: "is nested too deeply, or contains itself",
    "Dict key must a type serializable with OPT_NON_STR_KEYS": "has a key that is not a text",
}


class NotStorable(ValueError):
    """A value that JSON or PostgreSQL cannot hold: where in the document, and why."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path or 'it'} {reason}")
        self.path = path
        self.reason = reason


def to_json(value: Any, *, limit: int) -> bytes:
    """Return a value as a JSON document of at most `limit` bytes; raise NotStorable.

    Nothing is changed in silence: NaN and infinity are refused (RFC 8259, section 6), and so are
    two keys that would become the same name.
    """
    try:
        document = _encoded(value)
    except (TypeError, ValueError) as error:
        raise _first_error(value, "", error, depth=0) from None
    if len(document) > limit:
        reason = f"is too large: {len(document):,} bytes, where at most {limit:,} are allowed"
        raise NotStorable("", reason)
    if document.count(b"[") + document.count(b"{") > _DEPTH_LIMIT and _is_too_deep(value):
        raise NotStorable("", _REASONS[_TOO_DEEP])
    # orjson writes null for NaN and infinity.
    if b"null" in document:
        _refuse(value, _is_not_finite, "is NaN or infinity, which JSON does not have")
    # PostgreSQL's jsonb cannot hold U+0000.
    if b"\\u0000" in document and b"\\u0000" in document.replace(b"\\\\", b""):
        _refuse(value, _has_nul, "contains a NUL character")
    return document


def _encoded(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:
        # Slower: also numbers, dates and so on as keys.
        document = orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)
    json.loads(document, object_pairs_hook=_unique_names)
    return document


def _is_too_deep(value: Any) -> bool:
    """Return whether a value has more levels than the limit: it is written with the margin."""
    for _ in range(_MARGIN_OF_ORJSON):
        value = [value]
    try:
        orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)
    except TypeError:
        return True
    return False


def _unique_names(members: list[tuple[str, Any]]) -> None:
    names = set()
    for name, _ in members:
        if name in names:
            raise ValueError(f"has two keys that both become {name[:_NAME_LENGTH]!a} in JSON")
        names.add(name)


def _first_error(value: Any, path: str, error: Exception, *, depth: int) -> NotStorable:
    """Return where in a value the encoder fails, and why."""
    text = str(error)
    if depth < _SEARCH_DEPTH and text != _TOO_DEEP:
        for name, part in _parts(value):
            try:
                _encoded(part)
            except (TypeError, ValueError) as inner:
                place = f"{path}.{name}".lstrip(".")
                return _first_error(part, place, inner, depth=depth + 1)
    reason = _REASONS.get(text) or text.replace("Type is not JSON serializable:", "is not JSON:")
    return NotStorable(path, reason)


def _refuse(value: Any, is_wrong: Any, reason: str, path: str = "") -> None:
    """Raise NotStorable for the first wrong part of a value, if there is one."""
    if is_wrong(value):
        raise NotStorable(path, reason)
    for name, part in _parts(value):
        _refuse(part, is_wrong, reason, f"{path}.{name}".lstrip("."))
    if isinstance(value, dict):
        for key in value:
            if is_wrong(key):
                raise NotStorable(path, f"has a key that {reason}")


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the parts of what orjson writes as an object or an array, with their names."""
    if isinstance(value, dict):
        yield from ((_name(key), part) for key, part in value.items())
    elif isinstance(value, (list, tuple)):
        yield from ((str(index), part) for index, part in enumerate(value))
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield field.name, getattr(value, field.name)
    elif isinstance(value, enum.Enum):
        yield "value", value.value


def _name(key: Any) -> str:
    return ascii(key[:_NAME_LENGTH])[1:-1] if isinstance(key, str) else type(key).__name__


def _is_not_finite(value: Any) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _has_nul(value: Any) -> bool:
    return isinstance(value, str) and "\0" in value
