"""Page docs/performance.md, written from a result file: `python -m benchmarks.page FILE`."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import plots
from benchmarks.results import verdict

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGE = DOCS / "performance.md"
HEAD = """\
# Performance

Written by `make benchmark`; do not edit. What is measured, and how each system is set up:
[benchmarks/README.md](../benchmarks/README.md). Client, server, workers and database shared one
machine: compare figures within the page, as ratios. Each figure is the median of the runs beside
it.

| | |
|---|---|
| date | {at} |
| commit | {commit} |
| machine | {machine} |
| load average before | {load} |
| versions | {versions} |
| rows missing | {missing} |
| systems skipped | {skipped} |
| took | {seconds} s; {repeat} runs of each, scale {scale:g} |
"""
INCOMPLETE = """\
**This page is not complete**: rows are missing, systems were skipped, or the runs were too
short; see the table.
"""


def write(run: Mapping[str, Any]) -> Path:
    """Write the page and its plots; return the file of the page."""
    DOCS.mkdir(exist_ok=True)
    incomplete = [] if run["complete"] else [INCOMPLETE]
    sections = [_head(run), *incomplete, _summary(run["rows"])]
    for row in run["rows"]:
        picture = plots.draw(row, DOCS / "images") if row["curves"] else None
        sections.append(_section(row, picture))
    PAGE.write_text("\n".join(sections))
    return PAGE


def number(value: float) -> str:
    """Return a figure as text, with its significant digits."""
    if value >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _head(run: Mapping[str, Any]) -> str:
    machine = run["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    skipped = "; ".join(f"{name}: {reason}" for name, reason in run["skipped"].items())
    return HEAD.format(
        at=run["at"],
        commit=f"`{run['commit']}`",
        machine=f"{machine['cores']} cores ({machine['processor']}), {machine['memory_gib']} GiB, "
        f"{machine['platform']}",
        load=run["load_before"],
        versions=versions,
        missing=", ".join(run["missing"]) or "none",
        skipped=skipped or "none",
        seconds=run["seconds"],
        repeat=run["repeat"],
        scale=run["scale"],
    )


def _summary(rows: list[dict[str, Any]]) -> str:
    lines = ["## Targets", "", "| | what | target | measured | |", "|---|---|---|---|---|"]
    lines += [
        f"| {row['id']} | {row['title']}: {check['what']} | {check['target']} "
        f"| {number(check['got'])} | {verdict(check).replace('not met', '**not met**')} |"
        for row in rows
        for check in row["checks"]
    ]
    return "\n".join([*lines, ""])


def _section(row: Mapping[str, Any], picture: Path | None) -> str:
    figures = row["figures"]
    ours = figures[0]["median"] if figures else 0.0
    more = list(dict.fromkeys(name for figure in figures for name in figure["more"]))
    lines = [f"## {row['id']}: {row['title']}", ""]
    if figures:
        head = ["system", row["unit"], "runs", "first ÷ this", *more]
        lines += [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for figure in figures:
        ratio = f"{ours / figure['median']:.2f}" if figure["median"] else "–"
        if figure["too_short"] or figures[0]["too_short"]:
            ratio = "too short to judge"
        cells = [
            figure["name"],
            number(figure["median"]),
            " ".join(number(run) for run in figure["runs"]),
            ratio,
            *(number(figure["more"][name]) if name in figure["more"] else "" for name in more),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    if figures:
        lines.append("")
    if picture:
        lines += [f"![{row['title']}](images/{picture.name})", ""]
    lines += [line for note in row["notes"] for line in (note, "")]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(f"{write(json.loads(Path(sys.argv[1]).read_text()))}\n")
