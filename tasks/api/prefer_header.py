"""The `Prefer` request header (RFC 7240): how long a caller is willing to wait."""

from __future__ import annotations

import re

# In seconds: many proxies close a connection that is silent for longer.
LONGEST_WAIT = 30
_WAIT = re.compile(r'(?:^|,)\s*wait\s*=\s*"?(\d{1,9})"?\s*(?=$|[,;])', re.IGNORECASE | re.ASCII)


def seconds_to_wait(prefer: str) -> int | None:
    """Return for how many seconds the answer may wait, None if the header sets no time."""
    wait = _WAIT.search(prefer)
    return min(int(wait[1]), LONGEST_WAIT) if wait else None
