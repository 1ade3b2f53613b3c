"""A request to stop the harness: nothing that comes after it is reported."""

from __future__ import annotations

import signal

REQUESTS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Stopped(BaseException):
    """Somebody asked the harness to stop.

    Neither an Exception nor a SystemExit: Hypothesis takes both for a failure of what it tries.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class StopRequest:
    """The first of the signals that ask for a stop; it is remembered, whoever swallows it."""

    def __init__(self) -> None:
        self._number: int | None = None

    def listen(self) -> None:
        """Raise Stopped in the main thread at the first of the signals, and ignore the others."""
        for request in REQUESTS:
            signal.signal(request, self._note)

    def check(self) -> None:
        """Raise Stopped when the request has come."""
        if self._number is not None:
            raise Stopped(self._number)

    def _note(self, number: int, frame: object) -> None:
        if self._number is None:
            self._number = number
            # An exit like any other: every process is ended on the way out.
            raise Stopped(number)
