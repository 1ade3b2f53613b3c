"""What a run found, as it is kept in a file: rows of figures, and checks of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

# A run of fewer tasks is over before its rate means anything.
JUDGED_FROM = 5_000


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One system's runs in a row; `more` holds further medians under their headings."""

    name: str
    runs: Sequence[float]
    more: Mapping[str, float] = field(default_factory=dict)
    too_short: bool = False
    """So few tasks that starting and ending weigh more than the rate: no ratio is made of it."""

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
    too_short: bool = False
    """Made of runs that were too short to judge."""


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


def at_least(
    what: str, got: float, wanted: float, unit: str = "", *, too_short: bool = False
) -> Check:
    """Check a figure from below."""
    least = f"≥ {wanted:,g} {unit}".strip()
    return Check(what=what, wanted=least, got=got, met=got >= wanted, too_short=too_short)


def at_most(what: str, got: float, wanted: float, unit: str = "") -> Check:
    """Check a figure from above."""
    return Check(what=what, wanted=f"≤ {wanted:,g} {unit}".strip(), got=got, met=got <= wanted)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below or at which that share of them lies."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def verdict(check: Mapping[str, Any]) -> str:
    """Return what became of a check, as the file has it."""
    if check["too_short"]:
        return "too short to judge"
    return "met" if check["met"] else "not met"


def as_json(row: Row) -> dict[str, Any]:
    """Return the row as it is written to the file."""
    return {
        "id": row.id,
        "title": row.title,
        "unit": row.unit,
        "figures": [
            {
                "name": one.name,
                "median": one.median,
                "runs": list(one.runs),
                "more": dict(one.more),
                "too_short": one.too_short,
            }
            for one in row.figures
        ],
        "checks": [vars(one) for one in row.checks],
        "notes": list(row.notes),
        "curves": [{"name": c.name, "x": list(c.x), "y": list(c.y)} for c in row.curves],
        "x": row.x,
    }
