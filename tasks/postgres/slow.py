"""Slow statements: a warning for each that takes longer than SLOW_STATEMENT."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings

log = logging.getLogger(__name__)

# Characters of a statement in the log.
_LONGEST = 300


@contextmanager
def warn_if_slow(statement: str) -> Iterator[None]:
    """Log a statement that takes too long, without its parameters, which may be secret."""
    began = time.monotonic()
    try:
        yield
    finally:
        seconds = time.monotonic() - began
        if 0 < settings.SLOW_STATEMENT <= seconds:
            log.warning(
                "a statement took longer than SLOW_STATEMENT",
                extra={"statement": _name(statement), "seconds": round(seconds, 3)},
            )


def watch(execute: Callable[..., Any], statement: Any, *others: Any) -> Any:
    """Run a statement of Django's, and log it if it is slow: a wrapper of `execute`."""
    with warn_if_slow(str(statement)):
        return execute(statement, *others)


def _name(statement: str) -> str:
    """Return the first line of our own statements, which says what they do; else the beginning."""
    if statement.startswith("-- "):
        return statement.partition("\n")[0].removeprefix("-- ")
    return " ".join(statement.split())[:_LONGEST]
