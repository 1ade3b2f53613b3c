"""Labels of counts: a bounded number of values, whatever names callers and rows have."""

from __future__ import annotations

from functools import lru_cache

from tasks import kinds
from tasks.counts import OTHER

# Queues that no kind has: a caller may choose any name.
_MOST_QUEUES = 100
_queues: set[str] = set()


@lru_cache(maxsize=1_000)
def queue_and_kind(queue: str, kind: str) -> tuple[str, str]:
    """Return the names of a queue and of a kind.

    `other` is for a queue beyond those that a process has room for, and for a kind that it does not
    know.
    """
    return _queue_label(queue), kind if kind in kinds.all_kinds() else OTHER


def _queue_label(name: str) -> str:
    if name in _queues:
        return name
    if len(_queues) < _MOST_QUEUES or name in {kind.queue for kind in kinds.all_kinds().values()}:
        _queues.add(name)
        return name
    return OTHER
