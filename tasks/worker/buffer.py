"""Buffer: the claims of a worker process that have not begun, between the claimer and the slots."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

from tasks.lifecycle.ending import Claim


class Buffer:
    """Hands claims to slots, in the order in which they were claimed, but fairly between owners.

    From any thread, `on_low` is called when the claimer should look for more, once after each
    `report_low`; and `on_short` when claims wait and every slot is busy, once for each new slot.
    """

    def __init__(
        self, *, concurrency: int, on_low: Callable[[], object], on_short: Callable[[], object]
    ) -> None:
        self._concurrency = concurrency
        self._on_low = on_low
        self._on_short = on_short
        self._changed = threading.Condition(threading.Lock())
        self._claims: deque[Claim] = deque()
        # Slots that exist, and those of them that wait for a claim.
        self._slots = 0
        self._idle = 0
        self._is_slot_coming = False
        # How few claims are reported, 0 for only when a slot waits; None when nothing is.
        self._low: int | None = None
        self._is_closed = False

    def take(self, *, is_new: bool = False) -> Claim | None:
        """Wait for the next claim, in a slot's thread; return None when the slot must end.

        A slot counts from when it first takes, as new: until then it is not busy.
        """
        with self._changed:
            if is_new:
                self._slots += 1
                self._is_slot_coming = False
            if not self._claims:
                self._idle += 1
                if self._low is not None:
                    self._report()
                while not self._claims and not self._is_closed:
                    self._changed.wait()
                self._idle -= 1
            if self._is_closed:
                return None
            claim = self._claims.popleft()
            if self._claims:
                # One slot wakes the next: where tasks are fast, few slots do all of the work.
                self._wake_slot()
            if self._low and len(self._claims) <= self._low:
                self._report()
            return claim

    def put(self, claims: Sequence[Claim]) -> None:
        """Add claims at the end; those of owners who have none here, between those of others.

        Otherwise the first task of an owner would wait behind all that were claimed before it.
        Each second place is left to those, so that they advance too.
        """
        with self._changed:
            owners = {claim.owner_id for claim in self._claims}
            first = deque(claim for claim in claims if claim.owner_id not in owners)
            if first:
                before, self._claims = self._claims, deque()
                while first and before:
                    self._claims.append(first.popleft())
                    self._claims.append(before.popleft())
                self._claims.extend(first or before)
            self._claims.extend(claim for claim in claims if claim.owner_id in owners)
            if claims:
                self._wake_slot()

    def drain(self) -> list[Claim]:
        """Take away every claim."""
        with self._changed:
            claims = list(self._claims)
            self._claims.clear()
        return claims

    def report_low(self, low: int | None) -> bool:
        """Report when a slot waits, or `low` claims are left; return True if so now.

        None for no report.
        """
        with self._changed:
            is_now = low is not None and (self._free() > 0 or 0 < low >= len(self._claims))
            self._low = None if is_now else low
        return is_now

    def free(self) -> int:
        """Return how many more claims could begin at once."""
        with self._changed:
            return self._free()

    def remove_slot(self) -> None:
        """Count a slot that takes no more claims."""
        with self._changed:
            self._slots -= 1

    def close(self) -> None:
        """Hand out nothing more: each slot ends after its attempt."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def __len__(self) -> int:
        return len(self._claims)

    def _free(self) -> int:
        return self._concurrency - (self._slots - self._idle) - len(self._claims)

    def _wake_slot(self) -> None:
        if self._idle:
            self._changed.notify()
        elif self._slots < self._concurrency and not self._is_slot_coming:
            self._is_slot_coming = True
            self._on_short()

    def _report(self) -> None:
        self._low = None
        self._on_low()
