"""How a call to the language model may fail; each failure ends an attempt as it should.

What users read is one of these sentences, never the provider's words, which may repeat the prompt.
"""

from __future__ import annotations

from tasks.circuit_breaker import ServiceFailure, ServiceRefusal
from tasks.kinds import FatalError, Retry, Snooze

TIMED_OUT = "The language model did not answer in time."
UNREACHABLE = "The provider of the language model cannot be reached."
BROKEN = "The provider of the language model has a failure."
UNREADABLE = "The provider's answer cannot be read."
TOO_LARGE = "The provider's answer is too large."
EMPTY = "The language model answered nothing."
THROTTLED = "The provider of the language model asks for a pause."
NO_CREDIT = "The account at the provider of the language model has no credit left."

_REFUSALS = {
    401: "The provider of the language model does not accept the key.",
    403: "The provider of the language model does not allow this text or this model.",
    404: "The provider does not have the language model.",
    413: "The text is too long for the language model.",
}
_REFUSED = "The provider of the language model does not accept the request."
_DEFAULT_PAUSE = 10.0


class ModelUnavailable(ServiceFailure, Retry):
    """A failure that may pass: the attempt fails and is repeated, after `delay` s if given."""

    def __init__(self, message: str, delay: float | None = None) -> None:
        Retry.__init__(self, delay, message)


class OutOfCredit(ServiceFailure, FatalError):
    """No call can succeed before somebody pays: the circuit opens at once."""

    opens_circuit = True


class ModelThrottled(ServiceRefusal, Snooze):
    """The provider limits the rate: the task is put off and loses no attempt."""


class ModelRefused(ServiceRefusal, FatalError):
    """The same call would be refused again: the task fails at once."""


def failure(status: int, *, pause: float | None = None) -> Exception:
    """Return what an error status means; `pause` is what the provider asks for, in seconds."""
    match status:
        case 429:
            return ModelThrottled(pause or _DEFAULT_PAUSE, THROTTLED)
        case 402:
            return OutOfCredit(NO_CREDIT)
        case 408:
            return ModelUnavailable(TIMED_OUT, pause)
        case _ if status >= 500:
            return ModelUnavailable(BROKEN, pause)
        case _:
            return ModelRefused(_REFUSALS.get(status, _REFUSED))
