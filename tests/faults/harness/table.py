"""Table in docs/reliability.md: one run is written beside the last runs of all other rows.

It runs as a command with one line on standard input: a fresh interpreter loads the rows as they
are defined now, even if the measuring harness was started long ago.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import sys
import tempfile
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

HEAD = """\
# Reliability

The faults, what must hold under each, and the result of each row's last run. This file is written
by `make faults` and by nothing else; `make faults ROW=R01 SEED=7` runs one row with a seed of your
choice.

Each row has a database of its own in a PostgreSQL cluster with `fsync=on`, and real worker
processes. Besides its own target a row is met only if these held every 5 s and at the end: no
accepted task is lost (I1), no effect of a transactional task comes twice (I2), nothing writes to a
task that has ended (I3), one claim at a time (I4), no job, session or process is left over (I5),
attempts are bounded and counted (I6). "quick" marks a run with shorter times than the row's own;
"commit" is the one it ran on ("-dirty": with changes), "load" the machine's load average of the
minute before it.

| row | fault | promise | target | last run | seed | commit | load | measured | met |
|---|---|---|---|---|---|---|---|---|---|
"""
LINE = re.compile(r"^\| ([FRS]\d+) \|.*$", re.MULTILINE)
# Cells are separated by bars that are not escaped.
CELL = re.compile(r"(?<!\\)\|")


class Definition(NamedTuple):
    """The columns of a row that do not depend on a run."""

    title: str
    promise: str
    target: str


class Run(NamedTuple):
    """The last run: when and how it ran, and its result."""

    when: str
    seed: str
    commit: str
    load: str
    measured: str
    met: str


NOT_RUN = Run("not run", "", "", "", "", "")


@dataclass(frozen=True)
class Entry:
    """One line of the table."""

    id: str
    definition: Definition
    run: Run

    def __str__(self) -> str:
        return f"| {' | '.join(map(_escape, (self.id, *self.definition, *self.run)))} |"


def parse(text: str) -> dict[str, Entry]:
    """Return a table's entries by row id; old tables have no commit and load."""
    return {match[1]: _parse(match[1], match[0]) for match in LINE.finditer(text)}


def write(entry: Entry, *, defined: Mapping[str, Definition], file: Path) -> None:
    """Replace one row's line; the others, even undefined rows, keep their runs."""
    with _alone(file.parent):
        entries = parse(file.read_text()) if file.exists() else {}
        for id, definition in defined.items():
            run = entries[id].run if id in entries else NOT_RUN
            entries[id] = Entry(id, definition, run)
        entries[entry.id] = entry
        lines = [str(entries[id]) for id in sorted(entries)]
        _replace(file, HEAD + "\n".join(lines) + "\n")


def main() -> None:
    """Write the entry from standard input to the file named in the arguments."""
    values = json.load(sys.stdin)
    entry = Entry(values["id"], Definition(*values["definition"]), Run(*values["run"]))
    write(entry, defined=_defined(), file=Path(sys.argv[1]))


def _defined() -> dict[str, Definition]:
    """Return the definitions of all rows; none when a module cannot be loaded."""
    try:
        import django

        django.setup()
        from tests.faults.harness.row import all_rows

        rows = all_rows().values()
    except Exception:
        # A module may be half edited at this moment: the figures of the run must not be lost.
        traceback.print_exc()
        return {}
    return {row.id: Definition(row.title, row.promise, row.target) for row in rows}


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Exclude other writers by a lock on the directory."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _replace(file: Path, text: str) -> None:
    """Replace the file atomically, so that no reader sees half of it."""
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(descriptor, "w") as new:
            new.write(text)
            new.flush()
            os.fsync(new.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _parse(id: str, line: str) -> Entry:
    title, promise, target, *run = (_unescape(cell) for cell in CELL.split(line)[2:-1])
    if len(run) == len(NOT_RUN) - 2:
        run[2:2] = ["", ""]
    return Entry(id, Definition(title, promise, target), Run(*run))


def _escape(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def _unescape(text: str) -> str:
    return text.strip().replace("\\|", "|")


if __name__ == "__main__":
    main()
