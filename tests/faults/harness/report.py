"""The report: a line a row on the screen, and the last run of each in docs/reliability.md."""

from __future__ import annotations

import datetime as dt
import fcntl
import os
import re
from collections.abc import Mapping
from pathlib import Path

from tests.faults.harness.row import Row
from tests.faults.harness.runner import Result

FILE = Path(__file__).resolve().parents[3] / "docs" / "reliability.md"
HEAD = """\
# Reliability

What is done to the running system, what must hold, and what the last run of each row showed. This
file is written by `make faults` and by nothing else; `make faults ROW=R01 SEED=7` runs one row with
a seed of your choice.

Each row has a database of its own in a PostgreSQL cluster with `fsync=on`, and real worker
processes. Besides its own target a row is met only if these held every 5 s and at the end: no
accepted task is lost (I1), no effect of a transactional task comes twice (I2), nothing writes to a
task that has ended (I3), one claim at a time (I4), no job, session or process is left over (I5),
attempts are bounded and counted (I6). "quick" marks a run with shorter times than the row asks for.

| row | fault | promise | target | last run | seed | measured | met |
|---|---|---|---|---|---|---|---|
"""
# Between bars that are not escaped.
CELL = re.compile(r"(?<!\\)\|")
# When, with which seed, what was measured, whether it was met.
Run = tuple[str, str, str, str]
NOT_RUN: Run = ("not run", "", "", "")


def line(result: Result) -> str:
    """Return one run as a line for the screen."""
    verdict = {True: "met", False: "NOT MET", None: "not run"}[result.met]
    return f"{result.row.id:<5} {verdict:<8} {result.row.title}: {result.figure}"


def write(result: Result, rows: Mapping[str, Row], *, seed: int) -> None:
    """Put one run into the file, beside the last runs of the others."""
    FILE.touch()
    with FILE.open("r+") as file:
        # Several runs may report at once.
        fcntl.flock(file, fcntl.LOCK_EX)
        lines = _lines(file.read())
        for row in rows.values():
            lines[row.id] = _line(row, _last_run(lines.get(row.id)))
        lines[result.row.id] = _line(result.row, _run(result, seed=seed))
        # A row that only another run knows, because its module is new, keeps its line.
        table = [line for _, line in sorted(lines.items())]
        file.seek(0)
        file.write(HEAD + "\n".join(table) + "\n")
        file.truncate()
        file.flush()
        os.fsync(file.fileno())


def _run(result: Result, *, seed: int) -> Run:
    when = dt.datetime.now(dt.UTC).date().isoformat() + (", quick" if result.quick else "")
    met = {True: "yes", False: "**no**", None: "not run"}[result.met]
    return when, str(seed), _escape(result.figure), met


def _line(row: Row, run: Run) -> str:
    cells = [row.id, *map(_escape, (row.title, row.promise, row.target)), *run]
    return f"| {' | '.join(cells)} |"


def _lines(text: str) -> dict[str, str]:
    """Return the table's lines by row."""
    return {found[1]: found[0] for found in re.finditer(r"^\| ([RS]\d+) \|.*$", text, re.MULTILINE)}


def _last_run(line: str | None) -> Run:
    """Return the last run that a line tells."""
    if line is None:
        return NOT_RUN
    when, seed, figure, met = (cell.strip() for cell in CELL.split(line)[5:9])
    return when, seed, figure, met


def _escape(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
