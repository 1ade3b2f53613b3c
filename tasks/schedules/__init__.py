"""Schedules: the verbs of their lifecycle. Nothing else writes one."""

from __future__ import annotations

from tasks.schedules.changes import Changes, change, create, remove
from tasks.schedules.checks import JITTER_LIMIT, NAME_LENGTH
from tasks.schedules.runs import fire_due, run_now, seconds_until_next

__all__ = [
    "JITTER_LIMIT",
    "NAME_LENGTH",
    "Changes",
    "change",
    "create",
    "fire_due",
    "remove",
    "run_now",
    "seconds_until_next",
]
