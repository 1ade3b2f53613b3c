"""Kinds for the rows about delivery and time."""

from __future__ import annotations

import time
from typing import Any

from tasks.kinds import Context, RetryPolicy, kind

# Both fail at every attempt but the last, by the engine's own policy and by a patient one.
POLICIES = {
    "test.unlucky": RetryPolicy(),
    "test.unlucky_and_patient": RetryPolicy(max_retries=1, delay=40.0),
}


def unlucky(input: dict[str, Any], context: Context) -> dict[str, Any]:
    """Fail until the last attempt."""
    if context.attempt < input["attempts"]:
        raise ConnectionError("what is outside is away")
    return {}


for name, policy in POLICIES.items():
    kind(name, retry=policy)(unlucky)


@kind("test.pause")
def pause(input: dict[str, Any], context: Context) -> dict[str, Any]:
    """Take as long as told."""
    time.sleep(input["seconds"])
    return {}
