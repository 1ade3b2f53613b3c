from __future__ import annotations

import time
from typing import Any

from benchmarks.work import sum_numbers
from tasks.kinds import kind


@kind("benchmark.sum")
def add(input: dict[str, Any], context: object) -> dict[str, Any]:
    """Sum three numbers."""
    return sum_numbers(input, time.time())


@kind("benchmark.cached", cache_ttl=3_600)
def cached(input: dict[str, Any], context: object) -> dict[str, Any]:
    """Sum three numbers; the same three once."""
    return sum_numbers(input, time.time())


@kind("benchmark.wait", queue="steady")
def wait(input: dict[str, Any], context: object) -> dict[str, Any]:
    """Wait as for an outside service; return when the wait began."""
    began = time.time()
    time.sleep(input["seconds"])
    return {"began": began}


@kind("benchmark.limited")
def limited(input: dict[str, Any], context: object) -> None:
    """Sleep, if the input says so."""
    time.sleep(input.get("seconds", 0))
