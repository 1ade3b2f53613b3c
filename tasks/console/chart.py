"""Bar chart without JavaScript: rectangles in an SVG of 100 by 100 units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tasks.stats.last_hour import Minute

GAP = 0.2
SIDE = 100.0


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One rectangle; its numbers are text with a decimal point in every locale."""

    x: str
    y: str
    width: str
    height: str
    fill: str
    title: str


@dataclass(frozen=True, kw_only=True)
class Chart:
    """Stacked bars and the labels of the axes."""

    bars: list[Bar]
    first: str
    last: str
    most: int


def bars(minutes: Sequence[Minute]) -> Chart:
    """Draw one bar for each minute, failed tasks above completed ones."""
    most = max(minute.completed + minute.failed for minute in minutes)
    step = SIDE / len(minutes)
    drawn = []
    for place, minute in enumerate(minutes):
        base = SIDE
        for count, fill, label in (
            (minute.completed, "good", "completed"),
            (minute.failed, "bad", "failed"),
        ):
            height = SIDE * count / max(1, most)
            base -= height
            if count:
                drawn.append(
                    Bar(
                        x=f"{place * step + GAP:.2f}",
                        y=f"{base:.2f}",
                        width=f"{step - 2 * GAP:.2f}",
                        height=f"{height:.2f}",
                        fill=fill,
                        title=f"{minute.start:%H:%M}: {count} {label}",
                    )
                )
    first, last = minutes[0].start, minutes[-1].start
    return Chart(bars=drawn, first=f"{first:%H:%M}", last=f"{last:%H:%M} UTC", most=most)
