"""Prefetch: how many tasks to claim and when, so that neither slots nor claims wait."""

from __future__ import annotations

# Larger claims cost hardly less for each task, and what comes meanwhile waits longer behind them.
LARGEST_CLAIM = 200
# Seconds for which the buffer should last when the next claim is sent: as long as a claim takes,
# within these bounds.
LEAST_LEAD = 0.01
LARGEST_LEAD = 0.3
# A claim sometimes takes longer than the one before it: this factor longer is allowed for.
MARGIN = 1.2
# A claim takes what is used up in so many leads: with one, the next would be sent at once.
AHEAD = 1.1
# Seconds of work in a claim, at least: smaller claims cost more for each task.
LEAST_WORK = 0.03
# Seconds for which claims are smaller after one with tasks of several owners: an owner with few
# tasks waits behind the claims of one with many.
COMPETING = 1.0
# Seconds of work in such a claim, at most. Where the machine is fully used a claim takes longer the
# larger it is, and would then be larger still. Slots that wait a moment cost nothing there.
COMPETING_WORK = 0.02
# The weight of the newest measurement.
NEWEST = 0.5


class Prefetch:
    """Sizes claims by what is measured: how many tasks end in a second, how long a claim takes.

    `now` is in seconds of a monotonic clock; `processed` counts the tasks that have ended.
    """

    def __init__(self, *, multiplier: int) -> None:
        self._multiplier = multiplier
        self._claim_seconds = LEAST_LEAD
        self._competing_until = 0.0
        # When the claim began, and how many tasks had ended by then.
        self._began = (0.0, 0)
        self.reset()

    def reset(self) -> None:
        """Discard the measured rate: tasks have become slow."""
        self._rate: float | None = None
        self._since: tuple[float, int] | None = None

    def size(self, *, least: int, now: float, processed: int) -> int:
        """Return how many tasks to claim; `least` is the number of free slots, at least 1."""
        self._measure(now, processed)
        self._began = (now, processed)
        if self._rate is None:
            return least * self._multiplier
        work = AHEAD * self._lead
        is_competing = now <= self._competing_until
        work = min(work, COMPETING_WORK) if is_competing else max(work, LEAST_WORK)
        return max(least, min(int(self._rate * work), LARGEST_CLAIM))

    def claimed(self, seconds: float, *, is_full: bool, owners: int = 1) -> None:
        """Note a claim: how long it took, whether more tasks wait, how many owners they have."""
        if owners > 1:
            self._competing_until = self._began[0] + COMPETING
        self._claim_seconds += (seconds - self._claim_seconds) * NEWEST
        # The rate shows what the slots can do only while more tasks wait than there are slots. It
        # includes the claim, with which the slots compete: else it would be too high.
        self._since = self._began if is_full else None

    @property
    def low(self) -> int:
        """Return with how many tasks left in the buffer to claim ahead.

        0 when tasks are long: a task claimed ahead would wait for a slot.
        """
        if self._since is None or self._rate is None:
            return 0
        return min(int(self._rate * self._lead), LARGEST_CLAIM)

    @property
    def _lead(self) -> float:
        return min(max(self._claim_seconds * MARGIN, LEAST_LEAD), LARGEST_LEAD)

    def _measure(self, now: float, processed: int) -> None:
        if self._since is None:
            return
        since, processed_then = self._since
        if processed == processed_then and now - since < self._lead:
            # Too early to measure.
            return
        rate = (processed - processed_then) / max(now - since, 1e-6)
        self._rate = rate if self._rate is None else self._rate + (rate - self._rate) * NEWEST
