"""Report: a line per row on the screen, and each row's last run in docs/reliability.md."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from pathlib import Path

from tests.faults.harness.circumstances import ROOT
from tests.faults.harness.runner import Result
from tests.faults.harness.table import Definition, Run

FILE = ROOT / "docs" / "reliability.md"


def line(result: Result) -> str:
    """Return one run as a line for the screen."""
    verdict = {True: "met", False: "NOT MET", None: "not run"}[result.met]
    return f"{result.row.id:<5} {verdict:<8} {result.row.title}: {result.figure}"


def write(result: Result, *, seed: int, file: Path) -> None:
    """Put one run into the file, beside the last runs of the others."""
    row = result.row
    entry = {
        "id": row.id,
        "definition": Definition(row.title, row.promise, row.target),
        "run": _run(result, seed=seed),
    }
    # In a new process, which loads the rows as they are defined now.
    command = [sys.executable, "-m", "tests.faults.harness.table", str(file.resolve())]
    subprocess.run(command, cwd=ROOT, input=json.dumps(entry), text=True, check=True)


def _run(result: Result, *, seed: int) -> Run:
    when = dt.datetime.now(dt.UTC).date().isoformat() + (", quick" if result.quick else "")
    met = {True: "yes", False: "**no**", None: "not run"}[result.met]
    circumstances = result.circumstances
    load = f"{circumstances.load:.1f}"
    return Run(when, str(seed), circumstances.commit, load, result.figure, met)
