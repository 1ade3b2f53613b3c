from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from benchmarks.systems.brokers import RabbitMQ, Redis
from benchmarks.work import PROCESSES


class Celery:
    """Celery with late acknowledgement, the tasks' rows in Postgres."""

    table = "task"

    def __init__(self, broker: Redis | RabbitMQ, *, tasks: int) -> None:
        self.name = f"Celery + {broker.name}"
        self.tasks = tasks
        self._broker = broker

    def missing(self) -> str | None:
        """Return what is not installed, or None."""
        return self._broker.missing()

    def services(self, scratch: Path) -> AbstractContextManager[Mapping[str, str]]:
        """Run the broker."""
        return self._broker.running(scratch)

    def create_schema(self) -> Sequence[str]:
        """Return the command that creates the table."""
        return [sys.executable, "-m", "benchmarks.systems.table"]

    def submit(self, how: str, tasks: int) -> Sequence[str]:
        """Return the command that inserts the rows and sends a message for each."""
        return [sys.executable, "-m", "benchmarks.systems.celery.submit", how, str(tasks)]

    def work(self) -> Sequence[str]:
        """Return the command of a prefork worker without messages between workers."""
        argv = [sys.executable, "-m", "celery", "-A", "benchmarks.systems.celery.app"]
        argv += ["worker", "--pool", "prefork", "--concurrency", str(PROCESSES)]
        argv += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        return [*argv, "--loglevel", "WARNING"]
