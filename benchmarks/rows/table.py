"""Table of the rows, grouped by those that are measured together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.bench import Bench
from benchmarks.results import Row
from benchmarks.rows import (
    backlog,
    crowd,
    curves,
    fleet,
    life,
    limits,
    mixed,
    pickup,
    reading,
    retention,
    submitting,
    workflows,
)


@dataclass(frozen=True)
class Group:
    """Rows with one preparation."""

    ids: tuple[str, ...]
    measure: Callable[[Bench], list[Row]]


GROUPS = (
    Group(("P1", "P2"), life.measure),
    Group(("P3",), submitting.measure),
    Group(("P3b",), crowd.measure),
    Group(("P4", "P7"), reading.measure),
    Group(("P5",), pickup.measure),
    Group(("P6", "P8", "P9"), backlog.measure),
    Group(("P10",), mixed.measure),
    Group(("P11",), fleet.measure),
    Group(("P12",), retention.measure),
    Group(("P13", "P13b"), limits.measure),
    Group(("P14",), workflows.measure),
    Group(("C1", "C2", "C3"), curves.measure),
)
IDS = tuple(id for group in GROUPS for id in group.ids)
