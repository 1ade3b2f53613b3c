"""Errors of a call to the language model, and how each ends the attempt.

Users read one of these sentences, never the provider's words, which may repeat the prompt.
"""

from __future__ import annotations

from tasks.circuit_breaker import ServiceFailure, ServiceRefusal
from tasks.kinds import FatalError, Retry, Snooze

TIMED_OUT = "The language model did not answer in time."
UNREACHABLE = "The provider of the language model cannot be reached."
BROKEN = "The provider of the language model has a failure."
UNREADABLE = "The provider's answer cannot be read."
TOO_LARGE = "The provider's answer is too large."
EMPTY = "The language model returned an empty answer."
FILTERED = "The language model or its provider declines to answer this text."
THROTTLED = "The provider of the language model limits the rate of calls."
BUDGET_IN_USE = "Calls in progress use up the budget at the provider of the language model."
NO_CREDIT = "The account at the provider of the language model has no credit left."

_REFUSALS = {
    401: "The provider of the language model does not accept the key.",
    403: "The provider of the language model does not allow this text or this model.",
    404: "The provider does not have the language model.",
    413: "The text is too long for the language model.",
}
_REFUSED = "The provider of the language model does not accept the request."
_DEFAULT_DELAY = 10.0


class ModelUnavailable(ServiceFailure, Retry):
    """A failure that may pass: the attempt fails and is retried, after `delay` s if given."""

    def __init__(self, message: str, delay: float | None = None) -> None:
        Retry.__init__(self, delay, message)


class OutOfCredit(ServiceFailure, FatalError):
    """No call can succeed until the account is topped up: the circuit opens at once."""

    opens_circuit = True


class ModelThrottled(ServiceRefusal, Snooze):
    """The provider asks to wait: the task is postponed without using an attempt."""


class ModelRefused(ServiceRefusal, FatalError):
    """The same call would be refused again: the task fails at once."""


def failure(status: int, *, retry_after: float | None = None) -> Exception:
    """Return the exception for an error status; `retry_after` is in seconds."""
    match status:
        case 429:
            return ModelThrottled(retry_after or _DEFAULT_DELAY, THROTTLED)
        case 402 if retry_after:
            # OpenRouter sends Retry-After only when other calls hold the credit that is left.
            return ModelThrottled(retry_after, BUDGET_IN_USE)
        case 413 if retry_after:
            # RFC 9110, 15.5.14: the condition is temporary.
            return ModelThrottled(retry_after, THROTTLED)
        case 402:
            return OutOfCredit(NO_CREDIT)
        case 408:
            return ModelUnavailable(TIMED_OUT, retry_after)
        case _ if status >= 500:
            return ModelUnavailable(BROKEN, retry_after)
        case _:
            return ModelRefused(_REFUSALS.get(status, _REFUSED))
