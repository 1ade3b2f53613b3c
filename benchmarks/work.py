"""Work that every system does, defined once so that all do the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

PROCESSES = 2


@dataclass(frozen=True)
class Input:
    """Three numbers that a handler sums; with `clock` it also returns when it began."""

    numbers: tuple[int, int, int]
    clock: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the task's input as every system stores it."""
        document: dict[str, Any] = {"numbers": list(self.numbers)}
        return {**document, "clock": True} if self.clock else document


def inputs(tasks: int) -> list[Input]:
    """Return one input per task, no two with the same sum."""
    return [Input((number, 2 * number, 3)) for number in range(tasks)]


def sum_numbers(input: dict[str, Any], began: float) -> dict[str, Any]:
    """Do the work of one task; `began` is the Unix time at which its handler was entered."""
    result: dict[str, Any] = {"sum": sum(input["numbers"])}
    return {**result, "began": began} if "clock" in input else result
