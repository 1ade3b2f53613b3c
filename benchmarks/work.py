"""The work that every system does, told once so that all of them do the same."""

from __future__ import annotations

from dataclasses import dataclass

PROCESSES = 2


@dataclass(frozen=True)
class Input:
    """Three numbers that a handler sums."""

    numbers: tuple[int, int, int]

    def as_json(self) -> dict[str, list[int]]:
        """Return the task's input as every system stores it."""
        return {"numbers": list(self.numbers)}


def inputs(tasks: int) -> list[Input]:
    """Return one input per task, no two with the same sum."""
    return [Input((number, 2 * number, 3)) for number in range(tasks)]


def sum_numbers(input: dict[str, list[int]]) -> dict[str, int]:
    """Do the work of one task."""
    return {"sum": sum(input["numbers"])}
