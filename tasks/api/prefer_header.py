"""What a caller would like (RFC 7240), and may not get."""

from __future__ import annotations

import re

# A connection that says nothing for longer is cut by many a proxy.
LONGEST_WAIT = 30
_WAIT = re.compile(r'(?:^|,)\s*wait\s*=\s*"?(\d{1,9})"?\s*(?=$|[,;])', re.IGNORECASE | re.ASCII)


def seconds_to_wait(prefer: str) -> int | None:
    """Return for how long the answer may be waited for, None where the caller said nothing."""
    wanted = _WAIT.search(prefer)
    return min(int(wanted[1]), LONGEST_WAIT) if wanted else None
