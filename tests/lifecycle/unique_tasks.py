"""Unique tasks, as tests submit them."""

from __future__ import annotations

import datetime as dt
from typing import Any

import tasks
from tasks.kinds import Unique
from tasks.models import Task
from tests.queue_rows import execute

WAITING = Unique(while_="waiting")
REPLACE = Unique(while_="waiting", on_conflict="replace")
UNFINISHED = Unique()


def submit(value: Any = 1, *, unique: Any = UNFINISHED, **options: Any) -> Task:
    """Submit a task that is unique by its input, unless another rule is named."""
    return tasks.submit("test.script", {"value": value}, unique=unique, **options)


def sql_now() -> dt.datetime:
    """Read the database's clock."""
    [[now]] = execute("SELECT clock_timestamp()")
    return now  # type: ignore[no-any-return]
