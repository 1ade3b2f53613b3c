"""Stop requests: after one the harness reports no further result."""

from __future__ import annotations

import signal

REQUESTS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Stopped(BaseException):
    """A signal requested the end of the harness.

    Neither an Exception nor a SystemExit: Hypothesis treats both as a failing example.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class StopRequest:
    """The first stop signal, kept even if a row swallows its exception."""

    def __init__(self) -> None:
        self._number: int | None = None

    def listen(self) -> None:
        """Raise Stopped in the main thread at the first of the signals, and ignore the others."""
        for request in REQUESTS:
            signal.signal(request, self._note)

    def check(self) -> None:
        """Raise Stopped if a stop was requested."""
        if self._number is not None:
            raise Stopped(self._number)

    def _note(self, number: int, frame: object) -> None:
        if self._number is None:
            self._number = number
            # An exception, so that every process is ended on the way out.
            raise Stopped(number)
