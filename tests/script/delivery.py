"""Kinds for the rows about delivery and time."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

from tasks.kinds import Context, RetryPolicy, kind
from tests.script.models import Effect

# Both fail at every attempt but the last, by the engine's own policy and by a patient one.
POLICIES = {
    "test.unlucky": RetryPolicy(),
    "test.unlucky_and_patient": RetryPolicy(max_retries=1, delay=40.0),
}


def unlucky(input: dict[str, Any], context: Context) -> dict[str, Any]:
    """Fail until the last attempt."""
    if context.attempt < input["attempts"]:
        raise ConnectionError("the service is down")
    return {}


for name, policy in POLICIES.items():
    kind(name, retry=policy)(unlucky)


@kind("test.pause")
def pause(input: dict[str, Any], context: Context) -> dict[str, Any]:
    """Sleep for the given seconds."""
    time.sleep(input["seconds"])
    return {}


@kind("test.hold")
def hold(input: dict[str, Any], context: Context) -> dict[str, Any]:
    """Write one row, then wait until a file appears; a faked clock does not affect the wait."""
    Effect.objects.create(task_id=context.task_id, attempt=context.attempt)
    never = threading.Event()
    for _ in range(3_000):
        if Path(input["file"]).exists():
            break
        never.wait(0.1)
    return {}
