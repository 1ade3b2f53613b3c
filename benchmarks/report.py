"""What a run says: a file for programs, tables for a reader, and the page in docs/."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import page
from benchmarks.results import verdict

RESULTS = Path(__file__).resolve().parent / "results"


def keep(found: Mapping[str, Any]) -> Path:
    """Write the run to a file of its own, and to the latest one's name; the file."""
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps(found, indent=1) + "\n"
    kept = RESULTS / f"{found['at'].replace(':', '')}.json"
    for file in (kept, RESULTS / "latest.json"):
        file.write_text(text)
    return kept


def tables(found: Mapping[str, Any]) -> str:
    """Return the tables for a terminal."""
    lines = []
    for row in found["rows"]:
        lines.append(f"\n{row['id']}: {row['title']} ({row['unit']})")
        width = max((len(one["name"]) for one in row["figures"]), default=0)
        for one in row["figures"]:
            runs = " ".join(page.number(run) for run in one["runs"])
            more = ", ".join(f"{name} {page.number(value)}" for name, value in one["more"].items())
            lines.append(
                f"  {one['name']:<{width}} {page.number(one['median']):>9}  [{runs}] {more}"
            )
        for check in row["checks"]:
            got = page.number(check["got"])
            lines.append(f"  {verdict(check)}: {check['what']} {got} ({check['wanted']})")
        lines += [f"  {note}" for note in row["notes"]]
    return "\n".join(lines) + "\n"


def document(found: Mapping[str, Any]) -> Path:
    """Write docs/performance.md and its plots; the file."""
    return page.write(found)
