"""Plots of docs/performance.md."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def draw(row: Mapping[str, Any], directory: Path) -> Path:
    """Draw a row's curves as SVG; return the file."""
    # Imported here because it is slow to load and needed only for plots.
    import matplotlib as mpl

    mpl.use("svg")
    # A fixed salt, so that the same figures give the same file.
    mpl.rcParams.update({"svg.hashsalt": row["id"], "font.size": 9})
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6.4, 3.2), layout="constrained")
    for curve in row["curves"]:
        axes.plot(curve["x"], curve["y"], marker="o", markersize=3, label=curve["name"])
    points = [x for curve in row["curves"] for x in curve["x"]]
    if min(points) > 0 and max(points) / min(points) > 50:
        axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel(row["x"])
    axes.set_ylabel(row["unit"])
    axes.grid(alpha=0.3)
    if len(row["curves"]) > 1:
        axes.legend()
    directory.mkdir(exist_ok=True)
    file = directory / f"performance-{row['id'].lower()}.svg"
    figure.savefig(file, metadata={"Date": None})
    pyplot.close(figure)
    return file
