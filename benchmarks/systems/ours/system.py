from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.work import PROCESSES


class Ours:
    """This project: Postgres alone."""

    name = "this project"
    table = "tasks_task"
    tasks = 50_000

    def missing(self) -> str | None:
        """Name nothing: the project's own requirements are all it takes."""
        return None

    @contextmanager
    def services(self, scratch: Path) -> Iterator[Mapping[str, str]]:
        """Run nothing beside Postgres."""
        yield {
            "DATA_DIR": str(scratch),
            "EXTRA_APPS": "benchmarks.systems.ours",
            "LOG_LEVEL": "WARNING",
        }

    def create_schema(self) -> Sequence[str]:
        """Return the command that migrates."""
        return [sys.executable, "manage.py", "migrate", "--verbosity", "0"]

    def submit(self, tasks: int) -> Sequence[str]:
        """Return the command that submits the tasks in batches."""
        return [sys.executable, "-m", "benchmarks.systems.ours.submit", str(tasks)]

    def work(self) -> Sequence[str]:
        """Return the command of the worker processes under their supervisor."""
        return [sys.executable, "manage.py", "worker", "--processes", str(PROCESSES)]
