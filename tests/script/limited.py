"""Kinds under rules that they declare: a limit, at most one task, an expiry."""

from __future__ import annotations

import time
from typing import Any

from tasks.kinds import Context, FatalError, Limit, RetryPolicy, Unique, kind
from tests.script.models import Effect


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


@kind("test.cached", cache_ttl=60, retry=RetryPolicy(max_retries=2, delay=0.05))
def cached(input: dict[str, Any], context: Context) -> dict[str, Any]:
    """Leave an effect for each run; a result is used again for a minute."""
    Effect.objects.create(task_id=context.task_id, attempt=context.attempt)
    time.sleep(input.get("seconds", 0))
    if input.get("do") == "fail":
        raise FatalError("requested")
    if input.get("do") == "fail once" and context.attempt == 1:
        raise ValueError("requested")
    return {"value": input.get("value"), "by": str(context.task_id)}


@kind("test.shared", cache_ttl=60, cache_shared=True)
def shared(input: dict[str, Any], context: Context) -> dict[str, Any]:
    """Leave an effect for each run; all owners use one result."""
    Effect.objects.create(task_id=context.task_id, attempt=context.attempt)
    return {"by": str(context.task_id)}


@kind("test.cached_briefly", cache_ttl=1)
def cached_briefly(input: dict[str, Any], context: Context) -> dict[str, Any]:
    """Leave an effect for each run; a result is used again for a second."""
    Effect.objects.create(task_id=context.task_id, attempt=context.attempt)
    return {"by": str(context.task_id)}


@kind("test.kept", retention_days=2)
def kept(input: dict[str, Any], context: Context) -> None:
    """Do nothing; its tasks are kept for two days."""


@kind(
    "test.ordered",
    limit=Limit(key="account", ordered=True),
    retry=RetryPolicy(max_retries=2, delay=0.05),
)
def ordered(input: dict[str, Any], context: Context) -> None:
    """Leave an effect for each attempt, of which the first ones fail."""
    Effect.objects.create(task_id=context.task_id, attempt=context.attempt)
    time.sleep(input.get("seconds", 0))
    if context.attempt <= input["fails"]:
        raise ValueError("requested")
