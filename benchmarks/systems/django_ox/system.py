from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.systems.newer_python import PYTHON, missing
from benchmarks.work import PROCESSES

HERE = "benchmarks.systems.django_ox"
# Its tasks wait for the database, so each process runs a few of them at the same time.
CONCURRENCY = 4


class DjangoOx:
    """django-ox: Django's own tasks in the database, the result stored in the task's row."""

    name = "django-ox"
    table = "task"
    tasks = 5_000

    def missing(self) -> str | None:
        """Return what is not installed, or None."""
        return missing("django_ox")

    @contextmanager
    def services(self, scratch: Path) -> Iterator[Mapping[str, str]]:
        """Yield no environment; no service but Postgres is needed."""
        yield {}

    def create_schema(self) -> Sequence[str]:
        """Return the command that migrates."""
        return [PYTHON, "-m", f"{HERE}.schema"]

    def submit(self, how: str, tasks: int) -> Sequence[str]:
        """Return the command that submits the tasks."""
        return [PYTHON, "-m", f"{HERE}.submit", how, str(tasks)]

    def work(self) -> Sequence[str]:
        """Return the command that runs the worker in each process."""
        several = [sys.executable, "-m", "benchmarks.systems.several", str(PROCESSES)]
        worker = [PYTHON, "-m", f"{HERE}.manage", "ox_worker", "--concurrency", str(CONCURRENCY)]
        return [*several, *worker]
