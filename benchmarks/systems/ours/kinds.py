from __future__ import annotations

from typing import Any

from benchmarks.work import sum_numbers
from tasks.kinds import kind


@kind("benchmark.sum")
def add(input: dict[str, Any], context: object) -> dict[str, Any]:
    """Sum three numbers."""
    return sum_numbers(input)
