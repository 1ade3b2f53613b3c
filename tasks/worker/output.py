"""Output: what handlers and views print becomes lines of the log, which name task or request."""

from __future__ import annotations

import io
import logging
import sys
import threading
from typing import TextIO, cast

log = logging.getLogger("tasks.output")

# Characters of a line; a longer one goes on in the next.
LONGEST = 8_000


class LogStream(io.TextIOBase):
    """A text stream that logs each line which is written to it."""

    def __init__(self, name: str, stream: TextIO) -> None:
        self._name = name
        self._stream = stream
        # Each thread runs another task, and its lines are its own.
        self._rests: dict[int, str] = {}
        self._logging: set[int] = set()

    @property
    def buffer(self) -> io.BufferedIOBase:
        """The bytes of the stream itself, which bypass the log."""
        return cast(io.BufferedIOBase, self._stream.buffer)

    def fileno(self) -> int:
        """Return the descriptor, for child processes, which bypass the log."""
        return self._stream.fileno()

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, text: str) -> int:
        """Log the lines that are complete; keep the rest."""
        thread = threading.get_ident()
        if thread in self._logging:
            # The log itself has failed and reports that.
            return self._stream.write(text)
        *lines, rest = (self._rests.pop(thread, "") + text).split("\n")
        while len(rest) > LONGEST:
            lines.append(rest[:LONGEST])
            rest = rest[LONGEST:]
        if rest:
            self._rests[thread] = rest
        for line in lines:
            self._log(line)
        return len(text)

    def flush(self) -> None:
        """Log what is kept of the thread's, as a line of its own."""
        if self._rests:
            self._log(self._rests.pop(threading.get_ident(), ""))

    def _log(self, line: str) -> None:
        if not line.strip():
            return
        thread = threading.get_ident()
        self._logging.add(thread)
        try:
            for start in range(0, len(line), LONGEST):
                log.info("%s", line[start : start + LONGEST], extra={"stream": self._name})
        finally:
            self._logging.discard(thread)


def capture_output() -> None:
    """Log what this process and its children print, and Python's warnings."""
    sys.stdout = LogStream("stdout", sys.stdout)
    sys.stderr = LogStream("stderr", sys.stderr)
    logging.captureWarnings(True)


def end_lines() -> None:
    """Log what the thread's attempt has printed without an end of line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, LogStream):
            stream.flush()
