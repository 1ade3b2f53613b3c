"""The report of the fault harness: nobody's figures are lost in it, and none are made up."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.harness import table
from tests.faults.harness.circumstances import ROOT
from tests.faults.harness.table import Definition, Entry, Run
from tests.waiting import wait_until

MEASURED = Run("2026-11-22", "7", "abc1234", "0.5", "lost 0 | doubled 0", "yes")
BEFORE = """\
| row | fault | promise | target | last run | seed | measured | met |
|---|---|---|---|---|---|---|---|
| R01 | kills | at-least-once | lost 0 | 2026-11-21 | 1 | lost 0 \\| doubled 0 | yes |
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return where the report is written."""
    return tmp_path / "reliability.md"


def _entry(id: str) -> Entry:
    return Entry(id, Definition(f"fault {id}", "promise", "target"), MEASURED)


def test_reports_written_side_by_side_keep_each_others_lines(file: Path):
    ids = [f"R{number}" for number in range(90, 96)]
    environment = {**os.environ, "EXTRA_APPS": "tests.script"}
    writers = []
    for id in ids:
        entry = {"id": id, "definition": _entry(id).definition, "run": MEASURED}
        command = [sys.executable, "-m", "tests.faults.harness.table", str(file)]
        writer = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, text=True
        )
        assert writer.stdin
        with writer.stdin as given:
            given.write(json.dumps(entry))
        writers.append(writer)
    assert [writer.wait(60) for writer in writers] == [0] * len(ids)
    found = table.parse(file.read_text())
    assert [found[id] for id in ids] == [_entry(id) for id in ids]
    # The rows that are defined now are there too, as not run.
    assert found["R01"].run == table.NOT_RUN
    assert list(file.parent.iterdir()) == [file]


def test_a_line_of_a_row_that_is_defined_nowhere_is_kept(file: Path):
    table.write(_entry("R98"), defined={}, file=file)
    table.write(_entry("R97"), defined={"R97": _entry("R97").definition}, file=file)
    assert table.parse(file.read_text()) == {"R97": _entry("R97"), "R98": _entry("R98")}


def test_another_rows_line_follows_its_definition_and_keeps_its_run(file: Path):
    table.write(_entry("R98"), defined={}, file=file)
    renamed = Definition("another fault", "promise", "target")
    table.write(_entry("R97"), defined={"R98": renamed}, file=file)
    assert table.parse(file.read_text())["R98"] == Entry("R98", renamed, MEASURED)


def test_lines_from_before_commits_were_told_keep_their_figures(file: Path):
    file.write_text(BEFORE)
    table.write(_entry("R02"), defined={}, file=file)
    assert table.parse(file.read_text())["R01"].run == Run(
        "2026-11-21", "1", "", "", "lost 0 | doubled 0", "yes"
    )


def test_a_run_that_is_stopped_reports_nothing(file: Path, tmp_path: Path):
    said = tmp_path / "said"
    # Hypothesis runs that row, which takes much for a failure of what it tries.
    command = [sys.executable, "-m", "tests.faults.harness", "R47", "--report", str(file)]
    with said.open("wb") as output:
        harness = subprocess.Popen(
            command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, process_group=0
        )
    try:
        wait_until(lambda: " examples" in said.read_text() or harness.poll() is not None, within=90)
        harness.terminate()
        assert harness.wait(60) == 128 + signal.SIGTERM, said.read_text()
    finally:
        harness.kill()
        harness.wait()
    assert not file.exists()
    assert "the row that ran is not reported" in said.read_text()
