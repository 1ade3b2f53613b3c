"""Kinds under rules that they declare: a limit, at most one task, an expiry."""

from __future__ import annotations

import time
from typing import Any

from tasks.kinds import Context, Limit, Unique, kind


@kind("test.limited", limit=Limit(concurrent=2, rate="2000/m", burst=50, key="customer"))
def limited(input: dict[str, Any], context: Context) -> None:
    """Sleep as long as the input says."""
    time.sleep(input.get("seconds", 0))


@kind("test.unique", unique=Unique(by=["account"]))
def unique(input: dict[str, Any], context: Context) -> dict[str, Any]:
    """Return the input; one task for each account is unfinished at a time."""
    return input


@kind("test.expiring", expires_in=3600)
def expiring(input: dict[str, Any], context: Context) -> None:
    """Do nothing; a task that has not begun after an hour is cancelled."""
