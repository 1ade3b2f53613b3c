"""How much to claim and when, so that neither slots wait for claims nor claims for slots."""

from __future__ import annotations

LARGEST_CLAIM = 500
# For how long the buffer should last when the next claim is sent, in seconds: as long as claims
# take, within these bounds.
LEAST_LEAD = 0.01
LARGEST_LEAD = 0.3
# A claim takes now and then longer than the one before it.
MARGIN = 1.5
# The weight of the newest measurement.
NEWEST = 0.5


class Prefetch:
    """Sizes claims by what is measured: how many tasks end in a second, how long a claim takes.

    `now` is in seconds of a clock that nobody sets; `processed` counts the tasks that have ended.
    """

    def __init__(self, *, first_claim: int) -> None:
        self._first_claim = first_claim
        self._claim_seconds = LEAST_LEAD
        self.reset()

    def reset(self) -> None:
        """Forget how fast tasks end: they have become slow."""
        self._rate: float | None = None
        self._since: tuple[float, int] | None = None

    def size(self, *, least: int, now: float, processed: int) -> int:
        """Return how much to claim."""
        self._measure(now, processed)
        if self._rate is None:
            return max(least, self._first_claim)
        return max(least, min(int(self._rate * 2 * self._lead), LARGEST_CLAIM))

    def claimed(self, seconds: float, *, is_full: bool, now: float, processed: int) -> None:
        """Take note of a claim's answer: how long it took, and whether more waits."""
        self._claim_seconds += (seconds - self._claim_seconds) * NEWEST
        # Only while more waits than there are slots does the rate tell what slots can do.
        self._since = (now, processed) if is_full else None

    def is_due(self, buffered: int) -> bool:
        """Say whether to claim ahead, with so many left in the buffer."""
        if self._since is None or self._rate is None:
            return False
        used_meanwhile = min(int(self._rate * self._lead), LARGEST_CLAIM)
        # None: tasks are long, and what is claimed ahead would wait for a slot.
        return used_meanwhile > 0 and buffered <= used_meanwhile

    @property
    def _lead(self) -> float:
        return min(max(self._claim_seconds * MARGIN, LEAST_LEAD), LARGEST_LEAD)

    def _measure(self, now: float, processed: int) -> None:
        if self._since is None:
            return
        then, had = self._since
        if processed == had and now - then < self._lead:
            # Too early to tell.
            return
        rate = (processed - had) / max(now - then, 1e-6)
        self._rate = rate if self._rate is None else self._rate + (rate - self._rate) * NEWEST
