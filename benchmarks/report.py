"""What a comparison says: a table for the reader, a file for programs."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.measurement import Runs, middle

LATEST = Path(__file__).resolve().parent / "results" / "latest.json"
WANTED_RATIO = 3.0


def table(runs: Runs, *, ours: str) -> str:
    """Return the medians and how many times faster we are than each peer."""
    medians = {name: middle(measured) for name, measured in runs.items()}
    lines = [
        f"{'median of the runs':<20}{'tasks':>9}{'submit/s':>11}{'lives/s':>11}"
        f"{'drain s':>9}{'wall s':>8}{'runs, lives/s':>28}"
    ]
    for name, run in medians.items():
        each = " ".join(f"{measured.drain_rate:,.0f}" for measured in runs[name])
        lines.append(
            f"{name:<20}{run.tasks:>9,}{run.submit_rate:>11,.0f}{run.drain_rate:>11,.0f}"
            f"{run.drain_seconds:>9.2f}{run.wall_seconds:>8.2f}{each:>28}"
        )
    for name, ratio in ratios(runs, ours=ours).items():
        least = min(run.drain_rate for run in runs[ours]) / max(
            run.drain_rate for run in runs[name]
        )
        lines.append(
            f"{ours} / {name}: {ratio:.1f} (wanted: at least {WANTED_RATIO:g}); "
            f"our slowest run / its fastest: {least:.1f}"
        )
    return "\n".join(lines)


def ratios(runs: Runs, *, ours: str) -> dict[str, float]:
    """Return our whole lives a second over each peer's."""
    rate = middle(runs[ours]).drain_rate
    return {name: rate / middle(runs[name]).drain_rate for name in runs if name != ours}


def save(
    runs: Runs, *, row: str, ours: str, postgres: str, load: float, skipped: Mapping[str, str]
) -> Path:
    """Write the runs with the machine they ran on and its load before; the file."""
    LATEST.parent.mkdir(exist_ok=True)
    LATEST.write_text(
        json.dumps(
            {
                "row": row,
                "at": datetime.now(UTC).isoformat(timespec="seconds"),
                "machine": {
                    "cores": os.cpu_count(),
                    "platform": platform.platform(),
                    "python": platform.python_version(),
                    "postgres": postgres,
                    "load_before": round(load, 2),
                },
                "skipped": dict(skipped),
                "runs": {name: [asdict(run) for run in runs[name]] for name in runs},
                "ratios": ratios(runs, ours=ours),
            },
            indent=2,
        )
        + "\n"
    )
    return LATEST
