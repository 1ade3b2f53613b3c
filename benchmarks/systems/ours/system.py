from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.work import PROCESSES


class Ours:
    """This project: Postgres alone."""

    table = "tasks_task"
    registered = "tasks_worker"

    def __init__(
        self,
        name: str = "this project",
        *,
        tasks: int = 40_000,
        processes: int = PROCESSES,
        queue: str | None = None,
        slots: int | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.tasks = tasks
        self.processes = processes
        self._queue = queue
        self._slots = slots
        self._environment = {**(environment or {}), **({"BENCHMARK_QUEUE": queue} if queue else {})}

    def missing(self) -> str | None:
        """Return None: the project's own requirements are enough."""
        return None

    @contextmanager
    def services(self, scratch: Path) -> Iterator[dict[str, str]]:
        """Yield the environment; no service but Postgres is needed."""
        yield {
            "DATA_DIR": str(scratch),
            "DJANGO_SETTINGS_MODULE": "taskproject.settings",
            "EXTRA_APPS": "benchmarks.systems.ours",
            "LOG_LEVEL": "WARNING",
            # As in `make run`: API keys are not measured.
            "API_ALLOW_ANONYMOUS": "true",
            **self._environment,
        }

    def create_schema(self) -> Sequence[str]:
        """Return the command that migrates."""
        return [sys.executable, "-m", "benchmarks.systems.ours.schema"]

    def submit(self, how: str, tasks: int) -> Sequence[str]:
        """Return the command that submits the tasks."""
        return [sys.executable, "-m", "benchmarks.systems.ours.submit", how, str(tasks)]

    def work(self) -> Sequence[str]:
        """Return the command of the worker processes under their supervisor."""
        argv = [sys.executable, "manage.py", "worker", "--processes", str(self.processes)]
        argv += ["--queues", self._queue] if self._queue else []
        return [*argv, "--concurrency", str(self._slots)] if self._slots else argv
