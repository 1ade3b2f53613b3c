"""Values of filters: an unusable one is refused, because ignoring it would select too much."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from django.core.exceptions import BadRequest
from django.http import QueryDict

# Control characters, halves of surrogate pairs, and what Django reads where there is no UTF-8.
_NOT_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffd]")
# The same rules as a pattern of JSON Schema.
_TEXT = r"[^\u0000-\u001f\u007f-\u009f\ufffd]"
PATTERN = rf"^{_TEXT}*[^\s\u0000-\u001f\u007f-\u009f\ufffd]{_TEXT}*$"


class UnusableParameter(BadRequest):
    """A parameter of a page that is refused; the message is a sentence that names it."""


def mistake_in(value: str) -> str | None:
    """Return why no filter can have this value, as a sentence; None if one can."""
    if not value.strip():
        return "The value is empty."
    if _NOT_TEXT.search(value):
        return "The value contains a control character or is not UTF-8."
    return None


def mistakes_in(values: Mapping[str, object]) -> dict[str, str]:
    """Return what is wrong with the values of filters, by name."""
    if isinstance(values, QueryDict):
        mistakes = ((name, _mistake_in_all(given)) for name, given in values.lists())
    else:
        texts = ((name, value) for name, value in values.items() if isinstance(value, str))
        mistakes = ((name, mistake_in(value)) for name, value in texts)
    return {name: mistake for name, mistake in mistakes if mistake}


def require_usable(values: QueryDict, names: Collection[str]) -> None:
    """Raise UnusableParameter for the first of these parameters that is wrong."""
    for name, mistake in mistakes_in(values).items():
        if name in names:
            raise UnusableParameter(f"{name}: {mistake}")


def _mistake_in_all(values: Iterable[object]) -> str | None:
    first, *others = map(str, values)
    return "The parameter is repeated." if others else mistake_in(first)
