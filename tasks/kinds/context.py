"""The context of an attempt: what a handler gets besides its input."""

from __future__ import annotations

import math
import time
import uuid
from numbers import Real
from typing import Any, Protocol, Unpack

from tasks.delays import checked_seconds
from tasks.error_text import cleaned
from tasks.kinds.exceptions import CANCELLED_ON_REQUEST, Cancel, Interrupted, SoftTimeLimitExceeded
from tasks.submission import Options, Submission

# What one attempt may submit: the follow-ups of an attempt are written in one statement.
FOLLOW_UPS_LIMIT = 10_000
FOLLOW_UPS_BYTES = 64 * 1024 * 1024


class Prepare(Protocol):
    """Checks a follow-up and makes it a submission."""

    def __call__(
        self, kind: str, input: dict[str, Any] | None = None, **options: Unpack[Options]
    ) -> Submission:
        """Return the submission; raise UnknownKind or InvalidInput."""


class Context:
    """A handler's view of its own attempt; through it the worker requests a stop.

    Handlers use `task_id`, `attempt`, `progress()`, `check()` and `submit()`.
    """

    def __init__(
        self,
        *,
        task_id: uuid.UUID,
        attempt: int,
        owner_id: int | None,
        soft_time_limit: float,
        prepare: Prepare,
    ) -> None:
        self.task_id = task_id
        self.attempt = attempt
        self.owner_id = owner_id
        self.follow_ups: list[Submission] = []
        # Set by other threads; plain values, because a handler may be shorter than making an event.
        self.cancelled = False
        self.interrupted = False
        self._prepare = prepare
        self._soft_time_limit = soft_time_limit
        self._soft_deadline = time.monotonic() + soft_time_limit
        self._reported: tuple[int, str] | None = None
        self._follow_ups_bytes = 0

    def progress(self, percent: float, message: str = "") -> None:
        """Report how far the work is, 0 to 100; cheap: the worker writes only the latest.

        Raises TypeError or ValueError for what is not a number and a text.
        """
        if not isinstance(message, str):
            raise TypeError(f"The progress message must be a text, not {type(message).__name__}.")
        if not isinstance(percent, Real) or percent != percent or abs(percent) == math.inf:
            raise ValueError(f"The progress must be a number from 0 to 100, not {percent!r}.")
        self.report(int(max(0, min(100, percent))), cleaned(message)[:200])

    def report(self, percent: int, message: str) -> None:
        """Keep checked progress for the worker to take."""
        self._reported = (percent, message)

    def take_report(self) -> tuple[int, str] | None:
        """Return the progress reported since the last call, if any."""
        reported, self._reported = self._reported, None
        return reported

    def check(self) -> None:
        """Raise when the task is cancelled, the worker stops, or the soft limit has passed."""
        if self.cancelled:
            raise Cancel(CANCELLED_ON_REQUEST)
        if self.interrupted:
            raise Interrupted
        if time.monotonic() > self._soft_deadline:
            raise SoftTimeLimitExceeded(
                f"Ran longer than its soft time limit of {self._soft_time_limit:g} s."
            )

    def wait(self, seconds: float) -> None:
        """Pause; raise what `check()` raises within 0.1 s of its cause, or ValueError."""
        end = time.monotonic() + checked_seconds(seconds, of="pause")
        while (left := end - time.monotonic()) > 0:
            self.check()
            time.sleep(min(left, 0.1))
        self.check()

    def submit(
        self, kind: str, input: dict[str, Any] | None = None, **options: Unpack[Options]
    ) -> uuid.UUID:
        """Submit a follow-up that commits with this attempt's success, or not at all.

        Returns the id that the task will have; raises UnknownKind, InvalidInput, or ValueError when
        it would be too many.
        """
        follow_up = self._prepare(kind, input, **options)
        size = self._follow_ups_bytes + len(follow_up.input)
        if len(self.follow_ups) >= FOLLOW_UPS_LIMIT or size > FOLLOW_UPS_BYTES:
            raise ValueError(
                f"One attempt can submit at most {FOLLOW_UPS_LIMIT:,} follow-ups, with at most"
                f" {FOLLOW_UPS_BYTES:,} bytes of input in total."
            )
        self.follow_ups.append(follow_up)
        self._follow_ups_bytes = size
        return follow_up.id
