"""Retry policies: how often and how soon a failed attempt is tried again."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from django.conf import settings


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """How often and how soon a failed attempt is tried again; delays in seconds."""

    max_retries: int = field(default_factory=lambda: settings.TASK_MAX_RETRIES)
    delay: float = field(default_factory=lambda: settings.TASK_RETRY_DELAY)
    cap: float = 600.0

    def next_delay(self, attempt: int) -> float:
        """Return the pause after this attempt: delay × 2ⁿ, up to twice that, never past the cap.

        The jitter is as long as the pause itself, which spreads tasks that failed together as
        widely as possible. Pauses that have reached the cap are spread as well.
        """
        least = min(self.delay * 2.0 ** min(attempt - 1, 60), self.cap / 2)
        return least * (1.0 + random.random())  # noqa: S311 spreads load, guards nothing
