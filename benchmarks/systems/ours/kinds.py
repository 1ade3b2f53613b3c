from __future__ import annotations

import os
import time
from typing import Any

from benchmarks.work import sum_numbers
from tasks.kinds import kind
from tasks.worker.units import Pace

if os.environ.get("BENCHMARK_ONE_PER_HAND_OVER"):
    # As for kinds with tasks of more than a few milliseconds: each task takes its own slot.
    Pace.LARGEST_UNIT = 1


@kind("benchmark.sum")
def add(input: dict[str, Any], context: object) -> dict[str, Any]:
    """Sum three numbers."""
    return sum_numbers(input, time.time())


@kind("benchmark.wait", queue="steady")
def wait(input: dict[str, Any], context: object) -> dict[str, Any]:
    """Wait as for an outside service; return when the wait began."""
    began = time.time()
    time.sleep(input["seconds"])
    return {"began": began}
