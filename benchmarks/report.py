"""Report of a run: a JSON file, tables for the terminal, and the page in docs/."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import page
from benchmarks.results import verdict

RESULTS = Path(__file__).resolve().parent / "results"


def keep(run: Mapping[str, Any]) -> Path:
    """Write the run to its own file and to latest.json; return its own file."""
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps(run, indent=1) + "\n"
    kept = RESULTS / f"{run['at'].replace(':', '')}.json"
    for file in (kept, RESULTS / "latest.json"):
        file.write_text(text)
    return kept


def tables(run: Mapping[str, Any]) -> str:
    """Return the tables for a terminal."""
    lines = []
    for row in run["rows"]:
        lines.append(f"\n{row['id']}: {row['title']} ({row['unit']})")
        width = max((len(figure["name"]) for figure in row["figures"]), default=0)
        for figure in row["figures"]:
            runs = " ".join(page.number(value) for value in figure["runs"])
            more = ", ".join(
                f"{name} {page.number(value)}" for name, value in figure["more"].items()
            )
            lines.append(
                f"  {figure['name']:<{width}} {page.number(figure['median']):>9}  [{runs}] {more}"
            )
        for check in row["checks"]:
            got = page.number(check["got"])
            lines.append(f"  {verdict(check)}: {check['what']} {got} ({check['target']})")
        lines += [f"  {note}" for note in row["notes"]]
    return "\n".join(lines) + "\n"


def document(run: Mapping[str, Any]) -> Path:
    """Write docs/performance.md and its plots; return the file."""
    return page.write(run)
