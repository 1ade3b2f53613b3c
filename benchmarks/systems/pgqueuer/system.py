from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from benchmarks.work import PROCESSES

HERE = "benchmarks.systems.pgqueuer"


class PgQueuer:
    """PgQueuer on asyncpg and uvloop; jobs are fetched in batches of 100."""

    name = "PgQueuer"
    table = "task"
    tasks = 15_000

    def missing(self) -> str | None:
        """Return what is not installed, or None."""
        if all(find_spec(name) for name in ("pgqueuer", "asyncpg", "uvloop")):
            return None
        return "pgqueuer, asyncpg and uvloop are not installed (benchmarks/requirements.txt)"

    @contextmanager
    def services(self, scratch: Path) -> Iterator[Mapping[str, str]]:
        """Yield no environment; no service but Postgres is needed."""
        yield {}

    def create_schema(self) -> Sequence[str]:
        """Return the command that creates the tables."""
        return [sys.executable, "-m", f"{HERE}.schema"]

    def submit(self, how: str, tasks: int) -> Sequence[str]:
        """Return the command that submits the tasks."""
        return [sys.executable, "-m", f"{HERE}.submit", how, str(tasks)]

    def work(self) -> Sequence[str]:
        """Return the command that runs the worker in each process."""
        several = [sys.executable, "-m", "benchmarks.systems.several", str(PROCESSES)]
        return [*several, sys.executable, "-m", f"{HERE}.worker"]
