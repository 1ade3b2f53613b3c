"""Labels of counts: a bounded number of values, whatever names callers and rows have."""

from __future__ import annotations

from functools import lru_cache

from tasks import kinds
from tasks.counts import OTHER

# Queues that no kind has: a caller may choose any name.
_MOST_QUEUES = 100
_queues: set[str] = set()


@lru_cache(maxsize=1_000)
def kind_label(name: str) -> str:
    """Return the name of a registered kind, `other` for one that this process does not know."""
    return name if name in kinds.all_kinds() else OTHER


def queue_label(name: str) -> str:
    """Return the name of a queue, `other` for one beyond those that a process has room for."""
    if name in _queues:
        return name
    if len(_queues) < _MOST_QUEUES or name in {kind.queue for kind in kinds.all_kinds().values()}:
        _queues.add(name)
        return name
    return OTHER
