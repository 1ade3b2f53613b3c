"""A kind with a declared limit."""

from __future__ import annotations

import time
from typing import Any

from tasks.kinds import Context, Limit, kind


@kind("test.limited", limit=Limit(concurrent=2, rate="2000/m", burst=50, key="customer"))
def limited(input: dict[str, Any], context: Context) -> None:
    """Sleep as long as the input says."""
    time.sleep(input.get("seconds", 0))
