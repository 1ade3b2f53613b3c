from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from benchmarks.systems.brokers import RabbitMQ, Redis
from benchmarks.work import PROCESSES

NEEDED = ("fastapi", "uvicorn", "uvloop", "httptools", "asyncpg")


class FastAPI:
    """FastAPI under uvicorn that hands tasks to Celery, with or without a row in Postgres."""

    route = "/tasks"
    body = '{"kind": "benchmark.sum", "input": {"numbers": [1, 2, 3]}}'

    def __init__(self, broker: Redis | RabbitMQ, *, durable: bool) -> None:
        row = "a row in Postgres" if durable else "nothing durable"
        self.name = f"FastAPI + Celery/{broker.name}, {row}"
        self.table = "task" if durable else None
        self._broker = broker

    def missing(self) -> str | None:
        """Return what is not installed, or None."""
        absent = [name for name in NEEDED if not find_spec(name)]
        return f"{', '.join(absent)} not installed" if absent else self._broker.missing()

    @contextmanager
    def services(self, scratch: Path) -> Iterator[Mapping[str, str]]:
        """Run the broker."""
        with self._broker.running(scratch) as environment:
            yield {**environment, "BENCHMARK_DURABLE": "1" if self.table else ""}

    def create_schema(self) -> Sequence[str]:
        """Return the command that creates the table."""
        return [sys.executable, "-m", "benchmarks.systems.table"]

    def serve(self, port: int) -> Sequence[str]:
        """Return the command that its documentation recommends, without an access log."""
        argv = [sys.executable, "-m", "uvicorn", "benchmarks.systems.fastapi.app:app"]
        argv += ["--host", "127.0.0.1", "--port", str(port), "--workers", str(PROCESSES)]
        argv += ["--loop", "uvloop", "--http", "httptools"]
        return [*argv, "--no-access-log", "--log-level", "warning"]
