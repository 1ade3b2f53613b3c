"""The database sessions that a handler uses: what it sets in them ends with its attempt."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
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


@contextmanager
def handler_session() -> Iterator[None]:
    """Close each connection in which the block changed lasting settings of the session.

    The next attempt in the same thread gets a new one. Statements that bypass Django's cursors are
    not noticed.
    """
    changed = set()

    def watch(alias: str) -> Callable[..., Any]:
        def execute(run: Callable[..., Any], sql: Any, *rest: Any) -> Any:
            if isinstance(sql, str) and _LASTING.search(sql, 0, _SEARCHED):
                changed.add(alias)
            return run(sql, *rest)

        return execute

    try:
        with ExitStack() as watches:
            for alias in connections:
                watches.enter_context(connections[alias].execute_wrapper(watch(alias)))
            yield
    finally:
        for alias in changed:
            connections[alias].close()
