"""Kinds of task: one function and one decorator in any app's `kinds.py`."""

from __future__ import annotations

from tasks.kinds.context import Context
from tasks.kinds.exceptions import Cancel, FatalError, Retry, Snooze, SoftTimeLimitExceeded
from tasks.kinds.limit import Limit
from tasks.kinds.registry import Handler, Kind, add, all_kinds, get, kind
from tasks.kinds.retry_policy import RetryPolicy
from tasks.unique import Unique

__all__ = [
    "Cancel",
    "Context",
    "FatalError",
    "Handler",
    "Kind",
    "Limit",
    "Retry",
    "RetryPolicy",
    "Snooze",
    "SoftTimeLimitExceeded",
    "Unique",
    "add",
    "all_kinds",
    "get",
    "kind",
]
