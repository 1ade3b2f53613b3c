"""The fault harness's report: no figures are lost, and none are invented."""

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
    """Return the file of the report."""
    return tmp_path / "reliability.md"


def _entry(id: str) -> Entry:
    return Entry(id, Definition(f"fault {id}", "promise", "target"), MEASURED)


def test_reports_written_at_the_same_time_keep_each_others_lines(file: Path):
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
        with writer.stdin as pipe:
            pipe.write(json.dumps(entry))
        writers.append(writer)
    assert [writer.wait(60) for writer in writers] == [0] * len(ids)
    entries = table.parse(file.read_text())
    assert [entries[id] for id in ids] == [_entry(id) for id in ids]
    # The other defined rows are listed as not run.
    assert entries["R01"].run == table.NOT_RUN
    assert list(file.parent.iterdir()) == [file]


def test_the_line_of_an_undefined_row_is_kept(file: Path):
    table.write(_entry("R98"), defined={}, file=file)
    table.write(_entry("R97"), defined={"R97": _entry("R97").definition}, file=file)
    assert table.parse(file.read_text()) == {"R97": _entry("R97"), "R98": _entry("R98")}


def test_another_rows_line_takes_its_new_definition_and_keeps_its_run(file: Path):
    table.write(_entry("R98"), defined={}, file=file)
    renamed = Definition("another fault", "promise", "target")
    table.write(_entry("R97"), defined={"R98": renamed}, file=file)
    assert table.parse(file.read_text())["R98"] == Entry("R98", renamed, MEASURED)


def test_lines_without_commit_and_load_keep_their_figures(file: Path):
    file.write_text(BEFORE)
    table.write(_entry("R02"), defined={}, file=file)
    assert table.parse(file.read_text())["R01"].run == Run(
        "2026-11-21", "1", "", "", "lost 0 | doubled 0", "yes"
    )


def test_a_stopped_run_writes_no_report(file: Path, tmp_path: Path):
    log = tmp_path / "log"
    # Hypothesis runs this row; it treats most exceptions as a failing example.
    command = [sys.executable, "-m", "tests.faults.harness", "R47", "--report", str(file)]
    with log.open("wb") as output:
        harness = subprocess.Popen(
            command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, process_group=0
        )
    try:
        wait_until(
            lambda: " example(s)," in log.read_text() or harness.poll() is not None, within=90
        )
        harness.terminate()
        assert harness.wait(60) == 128 + signal.SIGTERM, log.read_text()
    finally:
        harness.kill()
        harness.wait()
    assert not file.exists()
    assert "the running row is not reported" in log.read_text()
