"""Texts of exceptions: storable, without credentials, and made without failing."""

from __future__ import annotations

import re
import traceback

from tasks.postgres.text import storable

_CREDENTIALS = re.compile(r"://[^\s/?#\"<>]*@")

_SECRETS = re.compile(
    r"\b((?:\w{0,20}[_-])?(?:password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key|sig|signature))"
    r"=[^\s&;\"'<>]+",
    re.IGNORECASE,
)


def detail_of(error: BaseException) -> str:
    """Return what an exception says; never raises, even if its own `__str__` does."""
    try:
        text = str(error)
    except BaseException as defect:  # the handler's own code: it may raise anything
        text = f"The text of this exception cannot be shown: {type(defect).__name__} in __str__."
    return cleaned(text)


def name_of(error: BaseException) -> str:
    """Return the name of an exception's class."""
    return storable(type(error).__name__)


def traceback_of(error: BaseException) -> str:
    """Return an exception's traceback; never raises, even if formatting it does."""
    try:
        text = "".join(traceback.format_exception(error))
    except BaseException as defect:  # the handler's own code: it may raise anything
        lines = traceback.format_tb(error.__traceback__)
        text = f"{''.join(lines)}{name_of(error)}, whose details raise {type(defect).__name__}\n"
    return cleaned(text)


def cleaned(text: str) -> str:
    """Return a storable text without the credentials of URLs and of connection strings.

    Those are the user information (RFC 3986, 3.2.1) and the values of parameters that are named
    like secrets.
    """
    text = storable(text)
    # Looked for first, because each value of each log line passes here.
    if "://" in text:
        text = _CREDENTIALS.sub("://***@", text)
    return _SECRETS.sub(r"\1=***", text) if "=" in text else text
