"""Statements of handlers: which change their session for longer, or end their transaction."""

from __future__ import annotations

import re
from functools import lru_cache

# Statements that change a session beyond their transaction. SET LOCAL and its like end with it.
_LASTING = re.compile(
    r"(?:^|;)\s*(?:set\s+(?!local\b|transaction\b|constraints\b)|reset\s|listen\s|load\s|prepare\s"
    r"|declare\s|discard\s)"
    r"|\bset_config\s*\(|\bpg_(?:try_)?advisory_lock|\bcreate\s+(?:local\s+|global\s+)?temp",
    re.IGNORECASE,
)
# At the start only: further in, END may be that of a block in PL/pgSQL.
_ENDING = re.compile(
    r"\s*(?:commit\b|end\b|abort\b|prepare\s+transaction\b"
    r"|rollback\b(?!\s+(?:(?:work|transaction)\s+)?to\b))",
    re.IGNORECASE,
)


@lru_cache(maxsize=1_000)
def is_lasting(sql: str) -> bool:
    """Return whether a statement changes the session for longer than its transaction."""
    return bool(_LASTING.search(sql))


@lru_cache(maxsize=1_000)
def ends_transaction(sql: str) -> bool:
    """Return whether a statement commits or rolls back the whole transaction."""
    return bool(_ENDING.match(sql))
