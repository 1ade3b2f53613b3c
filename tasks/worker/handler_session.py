"""The database sessions that a handler uses: what it sets in them ends with its attempt."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from django.db import connections

# Statements that change a session beyond their transaction. SET LOCAL and its like end with it.
_LASTING = re.compile(
    r"(?:^|;)\s*(?:set\s+(?!local\b|transaction\b|constraints\b)|reset\s|listen\s|load\s|prepare\s"
    r"|declare\s|discard\s)"
    r"|\bset_config\s*\(|\bpg_(?:try_)?advisory_lock|\bcreate\s+(?:local\s+|global\s+)?temp",
    re.IGNORECASE,
)
# Further in, a statement is data, not code.
_SEARCHED = 10_000


class _Watch(threading.local):
    """The connections of one thread whose session was changed, by alias.

    The wrappers stay in place, because adding them for each attempt costs more than a small task.
    """

    def __init__(self) -> None:
        self.changed = set[str]()
        for alias in connections:
            connections[alias].execute_wrappers.append(self._wrapper(alias))

    def _wrapper(self, alias: str) -> Callable[..., Any]:
        def execute(run: Callable[..., Any], sql: Any, *rest: Any) -> Any:
            if isinstance(sql, str) and _is_lasting(sql[:_SEARCHED]):
                self.changed.add(alias)
            return run(sql, *rest)

        return execute


_watch = _Watch()


def watch_sessions() -> None:
    """Notice from now on what this thread changes in its database sessions."""
    # The first access in a thread adds the wrappers.
    _watch.changed.clear()


def close_changed_sessions() -> None:
    """Close each connection in which lasting settings of the session were changed.

    The next attempt in the same thread gets a new one. Statements that bypass Django's cursors are
    not noticed.
    """
    if _watch.changed:
        for alias in _watch.changed:
            connections[alias].close()
        _watch.changed.clear()


@lru_cache(maxsize=1_000)
def _is_lasting(sql: str) -> bool:
    return bool(_LASTING.search(sql))
