"""A process tells its supervisor that Python still runs in it, in memory that both see.

A handler that holds the interpreter's lock for ever mutes every thread of its process, those that
would end it among them. So somebody outside has to listen.
"""

from __future__ import annotations

import mmap
import struct
import threading

_BEAT_SECONDS = 1.0
_COUNT = struct.Struct("=Q")


class Pulse:
    """A count that a child raises and its supervisor reads; 0 until the child begins to."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _COUNT.size)

    @property
    def count(self) -> int:
        """Return how often the child has beaten."""
        return int(_COUNT.unpack(self._memory)[0])

    def beat(self) -> None:
        """Beat once; for one thread of the child."""
        self._memory[:] = _COUNT.pack(self.count + 1)


class Watch:
    """What a supervisor knows of one child's pulse; times by the monotonic clock."""

    def __init__(self, *, limit: float) -> None:
        self.pulse = Pulse()
        self._limit = limit
        self._count = 0
        self._heard_at = 0.0

    def is_mute(self, now: float) -> bool:
        """Say whether a child that had begun to beat has not done so for the limit."""
        if (count := self.pulse.count) != self._count:
            self._count = count
            self.forgive(now)
        return count > 0 and now - self._heard_at >= self._limit

    def forgive(self, now: float) -> None:
        """Count its silence from now on."""
        self._heard_at = now


# The calling process's own, when its supervisor listens.
_own: Pulse | None = None


def own(pulse: Pulse | None) -> None:
    """Make a pulse the calling process's; none for one that nobody listens to."""
    global _own
    _own = pulse


def start_beating() -> None:
    """Beat from a thread of its own, for as long as Python runs here."""
    if _own is not None:
        threading.Thread(target=_beat, args=[_own], name="pulse", daemon=True).start()


def _beat(pulse: Pulse) -> None:
    pulse.beat()
    for_ever = threading.Event()
    while not for_ever.wait(_BEAT_SECONDS):
        pulse.beat()
