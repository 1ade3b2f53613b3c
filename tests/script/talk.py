"""Kinds that write to the log and to the standard streams."""

from __future__ import annotations

import logging
import sys
import warnings
from typing import Any

import tasks
from tasks.kinds import Context, kind


@kind("test.talk")
def talk(input: dict[str, Any], context: Context) -> dict[str, Any]:
    """Write in every way that Python has."""
    print("one")
    print("two", file=sys.stderr)
    logging.getLogger("talk").info("from a library")
    warnings.warn("take care", stacklevel=1)
    print("three, not ended", end="")
    return {}


@kind("test.isolated_talk", isolation="process")
def isolated_talk(input: dict[str, Any], context: Context) -> dict[str, Any]:
    """Do the same in a process of its own."""
    talk(input, context)
    return {}


@kind("test.submits")
def submits(input: dict[str, Any], context: Context) -> dict[str, Any]:
    """Submit a task as other code does, without the context."""
    tasks.submit("test.script", {})
    return {}
