"""Errors of a JSON Schema's validation, bounded in time, in number and in size."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from itertools import islice
from operator import getitem
from typing import Any

import jsonschema_rs

from tasks import filter_values
from tasks.errors import FieldError
from tasks.submission import QUEUE_NAME, QUEUE_RULE

MAX_ERRORS = 20
# Unknown fields of one object that are named; the rest is counted.
MAX_NAMES = 10
# In values and hundreds of characters. The validator makes all errors of a document before it
# returns the first, and each holds a copy of its part: those of a large document cost seconds.
_SMALL = 1_000
# What the patterns of our own schemas mean.
_MEANINGS = {
    f"^{QUEUE_NAME.pattern}$": QUEUE_RULE,
    filter_values.PATTERN: "The value is empty or contains a control character.",
    r"\S": "The value is empty.",
}


def field_errors(validator: Any, value: Any, *, under: str = "") -> list[FieldError]:
    """Return the first errors of a value, only one of a large value; none if it is valid."""
    if validator.is_valid(value):
        return []
    found = _first(validator, value) if _is_large(value) else validator.iter_errors(value)
    errors = [error for each in islice(found, MAX_ERRORS) for error in _named(each, value, under)]
    return errors[:MAX_ERRORS]


def unknown_fields(names: Iterable[str], *, message: str, under: str = "") -> list[FieldError]:
    """Return an error for each of the first unknown names, and one that counts the others."""
    listed = list(names)
    errors = [
        FieldError(f"{under}.{name[:100]}".strip("."), message) for name in listed[:MAX_NAMES]
    ]
    if (others := len(listed) - MAX_NAMES) > 0:
        errors.append(FieldError(under, f"{others:,} more names are unknown."))
    return errors


def _first(validator: Any, value: Any) -> Iterable[Any]:
    try:
        validator.validate(value)
    except jsonschema_rs.ValidationError as error:
        yield error


def _is_large(value: Any) -> bool:
    size, parts = 0, [value]
    while parts and size <= _SMALL:
        part = parts.pop()
        if isinstance(part, dict):
            size += len(part)
            parts.extend(islice(part.values(), _SMALL))
        elif isinstance(part, (list, tuple)):
            size += len(part)
            parts.extend(part[:_SMALL])
        elif isinstance(part, str):
            size += len(part) // 100
    return size > _SMALL


def _named(error: Any, value: Any, under: str) -> list[FieldError]:
    """Return the fields of a validator's error in this value, each with its message."""
    path = ".".join(filter(None, [under, *map(str, error.instance_path)]))
    match error.kind.name:
        case "additionalProperties":
            return unknown_fields(
                error.kind.unexpected, message="There is no such field.", under=path
            )
        case "required":
            name = f"{path}.{error.kind.property}".strip(".")
            return [FieldError(name, "This field is required.")]
        case "falseSchema" if error.schema_path[-1:] == ["additionalProperties"]:
            # An object that has no fields: the error names the value of one, and not the field.
            names = reduce(getitem, error.instance_path, value)
            return unknown_fields(names, message="There is no such field.", under=path)
        case "pattern":
            return [FieldError(path, _MEANINGS.get(error.kind.pattern, error.message[:300]))]
        case "minProperties":
            return [FieldError(path, f"The object has fewer fields than {error.kind.limit}.")]
        case _:
            return [FieldError(path, error.message[:300])]
