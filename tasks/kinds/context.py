"""The context of an attempt: what a handler gets besides its input."""

from __future__ import annotations

import threading
import time
import uuid
from typing import Any, Protocol, Unpack

from tasks.kinds.exceptions import CANCELLED_ON_REQUEST, Cancel, Interrupted, SoftTimeLimitExceeded
from tasks.postgres.text import storable
from tasks.submission import Options, Submission


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
        self.cancelled = threading.Event()
        self.interrupted = threading.Event()
        self._prepare = prepare
        self._soft_time_limit = soft_time_limit
        self._soft_deadline = time.monotonic() + soft_time_limit
        self._reported: tuple[int, str] | None = None

    def progress(self, percent: float, message: str = "") -> None:
        """Report how far the work is, 0 to 100; cheap: the worker writes only the latest."""
        self._reported = (max(0, min(100, int(percent))), storable(message)[:200])

    def take_report(self) -> tuple[int, str] | None:
        """Return the progress reported since the last call, if any."""
        reported, self._reported = self._reported, None
        return reported

    def check(self) -> None:
        """Raise when the task is cancelled, the worker stops, or the soft limit has passed."""
        if self.cancelled.is_set():
            raise Cancel(CANCELLED_ON_REQUEST)
        if self.interrupted.is_set():
            raise Interrupted
        if time.monotonic() > self._soft_deadline:
            raise SoftTimeLimitExceeded(
                f"Ran longer than its soft time limit of {self._soft_time_limit:g} s."
            )

    def wait(self, seconds: float) -> None:
        """Pause; raise what `check()` raises within 0.1 s of its cause."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.check()
            self.cancelled.wait(min(left, 0.1))
        self.check()

    def submit(
        self, kind: str, input: dict[str, Any] | None = None, **options: Unpack[Options]
    ) -> uuid.UUID:
        """Submit a follow-up that commits with this attempt's success, or not at all.

        Returns the id that the task will have; raises UnknownKind or InvalidInput.
        """
        follow_up = self._prepare(kind, input, **options)
        self.follow_ups.append(follow_up)
        return follow_up.id
