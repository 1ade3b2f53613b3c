"""Exceptions that end an attempt."""

from __future__ import annotations

from tasks.delays import Delay, checked_seconds

CANCELLED_ON_REQUEST = "Cancelled on request."


class Retry(Exception):
    """Fail this attempt and try again after `delay`, if an attempt is left.

    `delay` is seconds or a timedelta, up to ten years; raises ValueError for others.
    """

    def __init__(
        self, delay: Delay | None = None, message: str = "The handler requested a retry."
    ) -> None:
        super().__init__(message)
        self.delay = None if delay is None else checked_seconds(delay)


class Snooze(Exception):
    """Postpone the task by `delay` without using an attempt.

    `delay` is seconds or a timedelta, up to ten years; raises ValueError for others.
    """

    def __init__(self, delay: Delay, message: str = "Postponed by the handler.") -> None:
        super().__init__(message)
        self.delay = checked_seconds(delay)


class Cancel(Exception):
    """End the task as CANCELLED."""

    def __init__(self, message: str = "Cancelled by the handler.") -> None:
        super().__init__(message)


class FatalError(Exception):
    """Fail the task at once, without a retry."""


class Interrupted(BaseException):
    """Raised by `context.check()` when the worker stops: the task is released.

    Not an Exception, so that a handler's own `except Exception` does not swallow it.
    """


class SoftTimeLimitExceeded(Exception):
    """Raised by `context.check()` past the soft limit; the attempt fails unless it is caught."""


class Crashed(Exception):
    """Recorded as the error of an attempt that ended with its process."""


class LostClaim(BaseException):
    """Raised when a write shows that the claim is lost: nothing was written."""
