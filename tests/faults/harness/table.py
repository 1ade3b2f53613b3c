"""The table in docs/reliability.md: one run is put beside the last runs of all other rows.

Run as a command with one line on standard input: a fresh interpreter knows the rows as they are
defined now, however long ago the harness was started that measured.
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

What is done to the running system, what must hold, and what the last run of each row showed. This
file is written by `make faults` and by nothing else; `make faults ROW=R01 SEED=7` runs one row with
a seed of your choice.

Each row has a database of its own in a PostgreSQL cluster with `fsync=on`, and real worker
processes. Besides its own target a row is met only if these held every 5 s and at the end: no
accepted task is lost (I1), no effect of a transactional task comes twice (I2), nothing writes to a
task that has ended (I3), one claim at a time (I4), no job, session or process is left over (I5),
attempts are bounded and counted (I6). "quick" marks a run with shorter times than the row asks for;
"commit" is the one it ran on ("-dirty": with changes), "load" the machine's load average of the
minute before it.

| row | fault | promise | target | last run | seed | commit | load | measured | met |
|---|---|---|---|---|---|---|---|---|---|
"""
LINE = re.compile(r"^\| ([RS]\d+) \|.*$", re.MULTILINE)
# Between bars that are not escaped.
CELL = re.compile(r"(?<!\\)\|")


class Definition(NamedTuple):
    """What is said of a row whether or not it has run."""

    title: str
    promise: str
    target: str


class Run(NamedTuple):
    """What the last run showed, and how it was made."""

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
    """Return the lines of a table by row, of one without commits and loads too."""
    return {found[1]: _parse(found[1], found[0]) for found in LINE.finditer(text)}


def write(entry: Entry, *, defined: Mapping[str, Definition], file: Path) -> None:
    """Replace one row's line; the others keep their runs, also those of rows defined nowhere."""
    with _alone(file.parent):
        entries = parse(file.read_text()) if file.exists() else {}
        for id, definition in defined.items():
            run = entries[id].run if id in entries else NOT_RUN
            entries[id] = Entry(id, definition, run)
        entries[entry.id] = entry
        lines = [str(entries[id]) for id in sorted(entries)]
        _replace(file, HEAD + "\n".join(lines) + "\n")


def main() -> None:
    """Write the entry on standard input to the file that is named."""
    given = json.load(sys.stdin)
    entry = Entry(given["id"], Definition(*given["definition"]), Run(*given["run"]))
    write(entry, defined=_defined(), file=Path(sys.argv[1]))


def _defined() -> dict[str, Definition]:
    """Return what the modules say of their rows; nothing, when one of them cannot be loaded."""
    try:
        import django

        django.setup()
        from tests.faults.harness.row import all_rows

        rows = all_rows().values()
    except Exception:
        # Somebody may be writing at one this moment: that must not cost the figures of a run.
        traceback.print_exc()
        return {}
    return {row.id: Definition(row.title, row.promise, row.target) for row in rows}


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Keep everybody else who writes there out: the directory itself is what is locked."""
    held = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def _replace(file: Path, text: str) -> None:
    """Put a whole new file in the place of the old one, so that nobody ever finds half of it."""
    opened, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(opened, "w") as new:
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
