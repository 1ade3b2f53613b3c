from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.work import PROCESSES

HERE = "benchmarks.systems.procrastinate"
# Its tasks wait for the database, so each process runs a few of them at the same time.
CONCURRENCY = 4


class Procrastinate:
    """procrastinate's own worker under Django, the tasks' rows updated through the ORM."""

    name = "procrastinate (stock)"
    table = "task"
    tasks = 5_000

    def missing(self) -> str | None:
        """Return None: the project's own requirements are enough."""
        return None

    @contextmanager
    def services(self, scratch: Path) -> Iterator[Mapping[str, str]]:
        """Yield no environment; no service but Postgres is needed."""
        yield {}

    def create_schema(self) -> Sequence[str]:
        """Return the command that migrates."""
        return [*self._manage(), "migrate", "--run-syncdb", "--verbosity", "0"]

    def submit(self, how: str, tasks: int) -> Sequence[str]:
        """Return the command that submits the tasks."""
        return [sys.executable, "-m", f"{HERE}.submit", how, str(tasks)]

    def work(self) -> Sequence[str]:
        """Return the command that runs the worker in each process."""
        several = [sys.executable, "-m", "benchmarks.systems.several", str(PROCESSES)]
        worker = [*self._manage(), "procrastinate", "worker", "--concurrency", str(CONCURRENCY)]
        return [*several, *worker, "--delete-jobs", "successful"]

    def _manage(self) -> list[str]:
        return [sys.executable, "-m", f"{HERE}.manage"]
