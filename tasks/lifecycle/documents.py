"""Documents of endings: a result, and an error, as JSON."""

from __future__ import annotations

import re
from types import CoroutineType, GeneratorType
from typing import Any

import orjson
from django.conf import settings

from tasks.error_text import detail_of, name_of
from tasks.kinds.exceptions import FatalError
from tasks.postgres.json import NotStorable, to_json

_DETAIL_LIMIT = 2_000
_NAME_LIMIT = 200
_DETAILS_HIDDEN = "The details are shown to operators only."


def result_json(result: Any) -> bytes:
    """Return what a handler returned; raise FatalError when it cannot be stored."""
    if isinstance(result, CoroutineType | GeneratorType):
        result.close()
        raise FatalError(
            f"The handler returned a {type(result).__name__}; it must return the value itself."
        )
    try:
        document = to_json(result, limit=settings.RESULT_MAX_BYTES)
    except NotStorable as error:
        raise FatalError(f"The handler's result cannot be stored: {error}.") from None
    if not document.startswith(b"{"):
        raise FatalError(
            f"The handler's result must be an object (a dict) or None, not {type(result).__name__}."
        )
    return document


def error_json(error: BaseException, *, is_public: bool = True) -> bytes:
    """Return type, title and detail of an exception, or no detail unless `is_public`."""
    name = name_of(error)[:_NAME_LIMIT]
    detail = detail_of(error)[-_DETAIL_LIMIT:] if is_public else _DETAILS_HIDDEN
    return orjson.dumps({"type": name, "title": _title(name), "detail": detail})


def _title(name: str) -> str:
    """Turn a class name into words, FatalError into Fatal error; OSError stays as it is."""
    if re.search("[A-Z]{2}", name):
        return name
    return re.sub("(?<!^)([A-Z])", lambda match: f" {match[1].lower()}", name)
