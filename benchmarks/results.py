"""Results of a run, as a file keeps them: rows of figures, and checks of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

# A run of fewer tasks is too short for a meaningful rate.
JUDGED_FROM = 5_000


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One system's runs in a row; `more` holds further medians under their headings."""

    name: str
    runs: Sequence[float]
    more: Mapping[str, float] = field(default_factory=dict)
    too_short: bool = False
    """Whether start and end dominate the run, so that no ratio is computed from it."""

    @property
    def median(self) -> float:
        """Return the median of the runs."""
        return median(self.runs)


@dataclass(frozen=True, kw_only=True)
class Check:
    """A target, and whether it was met."""

    what: str
    target: str
    got: float
    met: bool
    too_short: bool = False
    """Whether its runs were too short to judge."""


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Points of a plot."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row of the table of measurements."""

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
    what: str, got: float, target: float, unit: str = "", *, too_short: bool = False
) -> Check:
    """Check a lower bound."""
    least = f"≥ {target:,g} {unit}".strip()
    return Check(what=what, target=least, got=got, met=got >= target, too_short=too_short)


def at_most(what: str, got: float, target: float, unit: str = "") -> Check:
    """Check an upper bound."""
    return Check(what=what, target=f"≤ {target:,g} {unit}".strip(), got=got, met=got <= target)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that at least this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def verdict(check: Mapping[str, Any]) -> str:
    """Return the verdict of a check from a result file."""
    if check["too_short"]:
        return "too short to judge"
    return "met" if check["met"] else "not met"


def as_json(row: Row) -> dict[str, Any]:
    """Return the row for the result file."""
    return {
        "id": row.id,
        "title": row.title,
        "unit": row.unit,
        "figures": [
            {
                "name": figure.name,
                "median": figure.median,
                "runs": list(figure.runs),
                "more": dict(figure.more),
                "too_short": figure.too_short,
            }
            for figure in row.figures
        ],
        "checks": [vars(check) for check in row.checks],
        "notes": list(row.notes),
        "curves": [{"name": c.name, "x": list(c.x), "y": list(c.y)} for c in row.curves],
        "x": row.x,
    }
