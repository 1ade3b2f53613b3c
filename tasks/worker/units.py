"""Unit: what one slot of a worker runs in one hand-over, a single task or a mini-batch."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from tasks.kinds import Kind
from tasks.kinds.context import Context
from tasks.lifecycle.ending import Claim, Ending

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Running:
    """The attempt that a unit is running now."""

    kind: Kind
    claim: Claim
    context: Context
    isolated: bool = False
    began: float = field(default_factory=time.monotonic)

    def seconds(self) -> float:
        """Return for how many seconds the attempt has run."""
        return time.monotonic() - self.began

    def is_overdue(self, *, margin: float = 0.0) -> bool:
        """Return whether it has run past its hard limit, by more than `margin` seconds."""
        return self.seconds() > self.kind.time_limit + margin


class Unit:
    """Claims of one kind that run one after another in one slot.

    A thread takes claims and adds endings while the event loop takes endings and may take away
    the claims that have not begun: each operation is a single atomic one on a deque.
    """

    def __init__(self, kind: Kind, claims: Iterable[Claim]) -> None:
        self.kind = kind
        self.waiting = deque(claims)
        self.endings: deque[Ending] = deque()
        self.current: Running | None = None
        # The unit's number for the stock loop. Not the job of a member: a task that is released
        # keeps its job, and may be claimed again before this unit is closed.
        self.job_id = next(_numbers)

    def take(self) -> Claim | None:
        """Take the next claim to run, or None when none is left."""
        try:
            return self.waiting.popleft()
        except IndexError:
            return None

    def take_waiting(self) -> list[Claim]:
        """Take away every claim that has not begun."""
        taken = []
        while (claim := self.take()) is not None:
            taken.append(claim)
        return taken

    def take_endings(self) -> list[Ending]:
        """Take away the endings that are to be recorded."""
        taken = []
        while self.endings:
            taken.append(self.endings.popleft())
        return taken


class Pace:
    """How long tasks of each kind take: only fast ones share a hand-over."""

    # Kinds that take longer on average have each task handed over alone.
    LONGEST_SHARED_SECONDS = 0.005
    LONGEST_BATCHABLE_SECONDS = 0.05
    # A unit takes about this long.
    UNIT_SECONDS = 0.05
    LARGEST_UNIT = 100

    def __init__(self) -> None:
        self._mean: dict[str, float] = {}

    def note(self, kind: str, seconds: float) -> None:
        """Add one run to the kind's moving average."""
        mean = self._mean.get(kind)
        self._mean[kind] = seconds if mean is None else mean + (seconds - mean) * 0.1

    def unit_size(self, kind: str, *, batchable: bool) -> int:
        """Return how many tasks of the kind may share a hand-over; 1 until it is measured."""
        mean = self._mean.get(kind)
        longest = self.LONGEST_BATCHABLE_SECONDS if batchable else self.LONGEST_SHARED_SECONDS
        if mean is None or mean > longest:
            return 1
        return max(1, min(self.LARGEST_UNIT, int(self.UNIT_SECONDS / max(mean, 1e-6))))
