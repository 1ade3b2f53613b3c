"""The retry schedule of callbacks: when one that did not arrive is sent again."""

from __future__ import annotations

import random
from dataclasses import dataclass

from tasks.kinds import RetryPolicy

# Seconds after each failed attempt, three days in all, as Standard Webhooks recommends.
PAUSES = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
# The same number is in `tasks/sql/callbacks.sql`.
MAX_ATTEMPTS = len(PAUSES) + 1


@dataclass(frozen=True, kw_only=True)
class DeliverySchedule(RetryPolicy):
    """Fixed pauses instead of doubled ones, each up to a tenth longer at random."""

    max_retries: int = len(PAUSES)
    delay: float = PAUSES[0]
    cap: float = PAUSES[-1]

    def next_delay(self, attempt: int) -> float:
        """Return the pause after this attempt, in seconds."""
        pause = PAUSES[min(max(attempt, 1), len(PAUSES)) - 1]
        return pause * (1.0 + 0.1 * random.random())  # noqa: S311 spreads load, guards nothing


SCHEDULE = DeliverySchedule()
