"""Watchdog: a child process shows its supervisor that Python still runs in it.

A handler that never releases the interpreter's lock blocks every thread of its process, the threads
that would end it included. So the process counts up in memory that it shares with its supervisor,
and the supervisor kills it when the count stands still.
"""

from __future__ import annotations

import mmap
import struct
import threading

_INTERVAL_SECONDS = 1.0
_COUNT = struct.Struct("=Q")


class WatchdogCounter:
    """A count that a child raises and its supervisor reads; 0 until the child has started."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _COUNT.size)

    @property
    def count(self) -> int:
        """Return how often the child has counted up."""
        return int(_COUNT.unpack(self._memory)[0])

    def increment(self) -> None:
        """Count up once; called by one thread of the child."""
        self._memory[:] = _COUNT.pack(self.count + 1)


class Watchdog:
    """The supervisor's side of one child's counter; times by the monotonic clock."""

    def __init__(self, *, timeout: float) -> None:
        self.counter = WatchdogCounter()
        self._timeout = timeout
        self._count = 0
        self._seen_at = 0.0

    def is_expired(self, now: float) -> bool:
        """Return whether a child that had started to count has not done so for the timeout."""
        if (count := self.counter.count) != self._count:
            self._count = count
            self.restart(now)
        return count > 0 and now - self._seen_at >= self._timeout

    def restart(self, now: float) -> None:
        """Let the timeout start now."""
        self._seen_at = now


# The calling process's counter, when its supervisor watches it.
_own: WatchdogCounter | None = None


def set_own_counter(counter: WatchdogCounter | None) -> None:
    """Set the calling process's counter; None when no supervisor watches it."""
    global _own
    _own = counter


def start_watchdog_thread() -> None:
    """Count up from a thread of its own, for as long as Python runs in this process."""
    if _own is not None:
        threading.Thread(target=_count_up, args=[_own], name="watchdog", daemon=True).start()


def _count_up(counter: WatchdogCounter) -> None:
    counter.increment()
    never = threading.Event()
    while not never.wait(_INTERVAL_SECONDS):
        counter.increment()
