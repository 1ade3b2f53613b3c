"""How a handler may end an attempt other than by returning: it raises one of these."""

from __future__ import annotations


class Retry(Exception):
    """Fail this attempt and try again after `delay` seconds, if an attempt is left."""

    def __init__(
        self, delay: float | None = None, message: str = "The handler asked for a retry."
    ) -> None:
        super().__init__(message)
        self.delay = delay


class Snooze(Exception):
    """Put the task off for `delay` seconds without spending an attempt."""

    def __init__(self, delay: float, message: str = "Put off by the handler.") -> None:
        super().__init__(message)
        self.delay = delay


class Cancel(Exception):
    """End the task as CANCELLED."""

    def __init__(self, message: str = "Cancelled by the handler.") -> None:
        super().__init__(message)


class FatalError(Exception):
    """Fail the task at once, without a retry."""


class Interrupted(BaseException):
    """Raised by `context.check()` when the worker stops: the task is handed back.

    Not an Exception, so that a handler's own `except Exception` does not swallow it.
    """


class SoftTimeLimitExceeded(Exception):
    """Raised by `context.check()` past the kind's soft limit; a failed attempt unless caught."""


class Crashed(Exception):
    """Names the error of an attempt whose process died."""


class LostClaim(BaseException):
    """Raised where a write found that the claim is no longer ours: nothing was written."""
