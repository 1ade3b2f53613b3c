"""Kinds with retry policies for their exceptions."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from tasks.kinds import Context, RetryPolicy, SoftTimeLimitExceeded, kind

SOON = RetryPolicy(max_retries=9, delay=0.01)
ONCE = RetryPolicy(max_retries=1, delay=0.01)
# The function knows these exceptions; what it returns for others is no policy.
BY_FUNCTION: dict[str, Any] = {"KeyError": SOON, "OSError": None}

RAISED = (ConnectionResetError, ConnectionError, OSError, KeyError, ValueError, RuntimeError)
ERRORS = {error.__name__: error for error in RAISED}


def by_exception(error: BaseException) -> RetryPolicy | None:
    policy: RetryPolicy | None = BY_FUNCTION.get(type(error).__name__, "no policy")
    return policy


@kind(
    "test.rules",
    retry=SOON,
    retry_on={OSError: RetryPolicy(max_retries=2, delay=0.01), ConnectionError: ONCE},
    never_on=(ValueError,),
)
def rules(input: dict[str, Any], context: Context) -> None:
    """Raise an exception."""
    raise ERRORS[input["raise"]]("requested failure")


@kind("test.rules_by_function", retry=ONCE, retry_on=by_exception)
def rules_by_function(input: dict[str, Any], context: Context) -> None:
    """Raise an exception."""
    raise ERRORS[input["raise"]]("requested failure")


@kind(
    "test.rules_of_time",
    retry=SOON,
    never_on=(TimeoutError,),
    isolation="process",
    soft_time_limit=0.2,
    time_limit=0.6,
)
def rules_of_time(input: dict[str, Any], context: Context) -> None:
    """Run past both limits."""
    while True:
        with suppress(SoftTimeLimitExceeded):
            while True:
                pass
