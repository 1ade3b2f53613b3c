"""Slow statements: a warning for each that takes longer than SLOW_STATEMENT."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from django.conf import settings

log = logging.getLogger(__name__)

# Characters of a statement in the log.
_LONGEST = 300


def watch(execute: Callable[..., Any], statement: Any, *others: Any, **options: Any) -> Any:
    """Execute a statement; log it if it takes too long, without its parameters: perhaps secrets.

    Also a wrapper of Django's `execute`.
    """
    began = time.monotonic()
    try:
        return execute(statement, *others, **options)
    finally:
        seconds = time.monotonic() - began
        if 0 < settings.SLOW_STATEMENT <= seconds:
            log.warning(
                "a statement took longer than SLOW_STATEMENT",
                extra={"statement": _name(str(statement)), "seconds": round(seconds, 3)},
            )


def _name(statement: str) -> str:
    """Return the first line of our own statements, which says what they do; else the beginning."""
    if statement.startswith("-- "):
        return statement.partition("\n")[0].removeprefix("-- ")
    return " ".join(statement.split())[:_LONGEST]
