from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.systems.newer_python import PYTHON, missing
from benchmarks.work import PROCESSES

HERE = "benchmarks.systems.oban"


class Oban:
    """oban-py: asyncio, the result recorded in the job's row, which is the task's row."""

    table = "task"
    # The table with a row for each running process, as in this project.
    registered = "oban_producers"
    tasks = 20_000

    def __init__(self, name: str, *, slots: int, processes: int = PROCESSES) -> None:
        self.name = name
        self.slots = slots
        self.processes = processes

    def missing(self) -> str | None:
        """Return what is not installed, or None."""
        return missing("oban")

    @contextmanager
    def services(self, scratch: Path) -> Iterator[Mapping[str, str]]:
        """Yield no environment; no service but Postgres is needed."""
        yield {}

    def create_schema(self) -> Sequence[str]:
        """Return the command that creates the tables."""
        return [PYTHON, "-m", f"{HERE}.schema"]

    def submit(self, how: str, tasks: int) -> Sequence[str]:
        """Return the command that submits the tasks."""
        return [PYTHON, "-m", f"{HERE}.submit", how, str(tasks)]

    def work(self) -> Sequence[str]:
        """Return the command that runs the worker in each process."""
        several = [sys.executable, "-m", "benchmarks.systems.several", str(self.processes)]
        return [*several, PYTHON, "-m", f"{HERE}.work", str(self.slots)]
