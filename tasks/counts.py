"""Counts: what this process has counted and not yet written to the database.

`tasks/metrics/` writes them, and sums those of all processes.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass

_WAITS = (
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1_800, 7_200,
)  # fmt: skip
_CALLS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


@dataclass(frozen=True, kw_only=True)
class Family:
    """What is counted under one name, by its labels; with `buckets`, a histogram of seconds.

    Each of `values`, of the last label, is exported from the first scrape on, as 0: Prometheus does
    not see the first increase of what had no sample before.
    """

    name: str
    help: str
    labels: tuple[str, ...]
    buckets: tuple[float, ...] = ()
    values: tuple[str, ...] = ()


SUBMITTED = Family(
    name="tasks_submitted",
    help="Tasks that were submitted.",
    labels=("queue", "kind"),
)
STARTED = Family(
    name="tasks_started",
    help="Attempts that workers began.",
    labels=("queue", "kind"),
)
ATTEMPTS = Family(
    name="tasks_attempts",
    help="Attempts that workers ended, by outcome; a released one had not begun.",
    labels=("queue", "kind", "outcome"),
    values=(
        "completed",
        "failed",
        "timed_out",
        "crashed",
        "snoozed",
        "cancelled",
        "interrupted",
        "released",
    ),
)
RETRIED = Family(
    name="tasks_retried",
    help="Failed attempts after which the task is tried again.",
    labels=("queue", "kind"),
)
ENDED = Family(
    name="tasks_ended",
    help="Tasks that ended, by status.",
    labels=("queue", "kind", "status"),
    values=("COMPLETED", "FAILED", "CANCELLED"),
)
MOVED = Family(
    name="tasks_moved",
    help="Tasks that were cancelled, retried, deleted, replaced by a newer request, rescued, that"
    " expired, or were answered with a stored result; not by an attempt.",
    labels=("queue", "kind", "transition"),
    values=("cancel", "retry", "delete", "rescue", "replace", "expire", "answer"),
)
WAITED = Family(
    name="tasks_wait_seconds",
    help="From when a task was due to its claim.",
    labels=("queue", "kind"),
    buckets=_WAITS,
)
RAN = Family(
    name="tasks_run_seconds",
    help="How long attempts ran.",
    labels=("queue", "kind"),
    buckets=_WAITS,
)
CLAIMED = Family(
    name="tasks_claim_seconds",
    help="How long claims took that workers sent to the database.",
    labels=(),
    buckets=_CALLS,
)
LEASES_LOST = Family(
    name="tasks_leases_lost",
    help="Workers that stopped renewing their lease, by which a rescue ended it.",
    labels=(),
)
CHILDREN_ENDED = Family(
    name="tasks_children_ended",
    help="Child processes that workers ended or that died, by reason.",
    labels=("reason",),
    values=(
        "timed_out",
        "cancelled",
        "interrupted",
        "crashed",
        "failed",
        "snoozed",
        "lost",
        "tasks",
        "memory",
        "idle",
    ),
)
CALLBACKS = Family(
    name="tasks_callbacks",
    help="Tries to deliver a callback or the webhook of an alert, by result.",
    labels=("result",),
    values=(
        "accepted",
        "3xx",
        "4xx",
        "5xx",
        "no_answer",
        "forbidden",
        "host_busy",
        "host_down",
    ),
)
REQUESTS = Family(
    name="tasks_http_request_seconds",
    help="How long requests took, by route and status of the answer.",
    labels=("method", "route", "status"),
    buckets=_CALLS,
)
FAMILIES = {
    family.name: family
    for family in (
        SUBMITTED,
        STARTED,
        ATTEMPTS,
        RETRIED,
        ENDED,
        MOVED,
        WAITED,
        RAN,
        CLAIMED,
        LEASES_LOST,
        CHILDREN_ENDED,
        CALLBACKS,
        REQUESTS,
    )
}

# Stands for values that would be too many.
OTHER = "other"
# The name of a family and the values of its labels, with a number for each bucket, one for what is
# beyond, and the sum of all; one number where there are no buckets.
Sums = dict[tuple[str, tuple[str, ...]], list[float]]


class Counts:
    """Sums of one process; its methods may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sums: Sums = {}

    def add(self, family: Family, *labels: str, by: float = 1) -> None:
        """Count something once, or so often."""
        key = (family.name, labels)
        with self._lock:
            sums = self._sums.get(key)
            if sums is None:
                self._sums[key] = [by]
            else:
                sums[0] += by

    def observe(self, family: Family, *labels: str, seconds: Iterable[float]) -> None:
        """Count durations."""
        key = (family.name, labels)
        with self._lock:
            sums = self._sums.get(key)
            if sums is None:
                sums = self._sums[key] = [0.0] * (len(family.buckets) + 2)
            for duration in seconds:
                sums[bisect_left(family.buckets, duration)] += 1
                sums[-1] += duration

    def take(self) -> Sums:
        """Return the sums and begin again at nothing."""
        with self._lock:
            sums, self._sums = self._sums, {}
        return sums

    def add_all(self, sums: Sums) -> None:
        """Add what was taken: here, and could not be written, or in a child process."""
        with self._lock:
            for key, numbers in sums.items():
                if own := self._sums.get(key):
                    numbers = [a + b for a, b in zip(own, numbers, strict=True)]
                self._sums[key] = numbers

    def __len__(self) -> int:
        return len(self._sums)


counts = Counts()
