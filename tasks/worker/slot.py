"""Slot: one thread of a worker process that runs tasks, and the attempt that it runs now."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from typing import TYPE_CHECKING

from tasks.kinds import Kind
from tasks.kinds.context import Context
from tasks.lifecycle.ending import Claim

if TYPE_CHECKING:
    from tasks.tracing.span_recorder import RecordedSpan

# Seconds past its hard limit after which a child counts as impossible to kill.
KILL_MARGIN = 15.0
_numbers = itertools.count(1)


class Running:
    """An attempt that runs."""

    __slots__ = ("began", "claim", "context", "isolated", "kind", "span")

    def __init__(
        self,
        kind: Kind,
        claim: Claim,
        context: Context,
        isolated: bool,
        began: float,
        span: RecordedSpan | None,
    ) -> None:
        self.kind = kind
        self.claim = claim
        self.context = context
        self.isolated = isolated
        # By the monotonic clock.
        self.began = began
        # Where spans are recorded.
        self.span = span

    def is_overdue(self, *, margin: float = 0.0) -> bool:
        """Return whether it has run past its hard limit, by more than `margin` seconds."""
        return time.monotonic() - self.began > self.kind.time_limit + margin


class Slot:
    """What the stock loop runs as one job: a thread that takes one claim after another.

    The event loop gives up a slot whose attempt never ends. Whoever takes `current` away under
    the lock, the thread or the event loop, records how the attempt ended.
    """

    def __init__(self) -> None:
        self.number = next(_numbers)
        self.lock = threading.Lock()
        self.current: Running | None = None
        # Done when the slot is given up.
        self.given_up: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def is_overdue(self) -> bool:
        """Return whether its attempt has run past its hard limit and cannot be ended."""
        running = self.current
        if running is None:
            return False
        # A child is killed at its limit; its slot is lost only when that fails.
        return running.is_overdue(margin=KILL_MARGIN if running.isolated else 0.0)

    def take_current(self) -> Running | None:
        """Take the attempt away from the thread, which then records nothing for it."""
        with self.lock:
            running, self.current = self.current, None
        return running
