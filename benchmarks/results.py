"""What a run found, as it is kept in a file: rows of figures, and checks of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One system's runs in a row; `more` holds further medians under their headings."""

    name: str
    runs: Sequence[float]
    more: Mapping[str, float] = field(default_factory=dict)

    @property
    def median(self) -> float:
        """Return what counts."""
        return median(self.runs)


@dataclass(frozen=True, kw_only=True)
class Check:
    """What is wanted, and whether it came."""

    what: str
    wanted: str
    got: float
    met: bool


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Points of a plot."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of the table of what is measured."""

    id: str
    title: str
    unit: str
    figures: Sequence[Figure]
    checks: Sequence[Check] = ()
    notes: Sequence[str] = ()
    curves: Sequence[Curve] = ()
    x: str = ""
    """The plot's horizontal axis, where the row has curves."""


def at_least(what: str, got: float, wanted: float, unit: str = "") -> Check:
    """Check a figure from below."""
    return Check(what=what, wanted=f"≥ {wanted:,g} {unit}".strip(), got=got, met=got >= wanted)


def at_most(what: str, got: float, wanted: float, unit: str = "") -> Check:
    """Check a figure from above."""
    return Check(what=what, wanted=f"≤ {wanted:,g} {unit}".strip(), got=got, met=got <= wanted)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below or at which that share of them lies."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def as_json(row: Row) -> dict[str, Any]:
    """Return the row as it is written to the file."""
    return {
        "id": row.id,
        "title": row.title,
        "unit": row.unit,
        "figures": [
            {"name": one.name, "median": one.median, "runs": list(one.runs), "more": dict(one.more)}
            for one in row.figures
        ],
        "checks": [vars(one) for one in row.checks],
        "notes": list(row.notes),
        "curves": [{"name": c.name, "x": list(c.x), "y": list(c.y)} for c in row.curves],
        "x": row.x,
    }
