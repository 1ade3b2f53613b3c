from __future__ import annotations

import shutil
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from benchmarks.children import running, wait_until
from benchmarks.work import PROCESSES

START_SECONDS = 10.0


class CeleryRedis:
    """Celery with late acknowledgement on a Redis broker, the tasks' rows in Postgres."""

    name = "Celery + Redis"
    table = "task"
    tasks = 5_000

    def missing(self) -> str | None:
        """Name the program or package that is not there."""
        if not shutil.which("redis-server"):
            return "redis-server is not installed"
        if not find_spec("celery") or not find_spec("redis"):
            return "celery and redis are not installed (benchmarks/requirements.txt)"
        return None

    @contextmanager
    def services(self, scratch: Path) -> Iterator[Mapping[str, str]]:
        """Run a Redis of its own, empty, on a free loopback port."""
        port, log = _free_port(), scratch / "redis.log"
        argv = ["redis-server", "--bind", "127.0.0.1", "--port", str(port), "--dir", str(scratch)]
        # Redis keeps nothing on disk, which is its fastest; the rows are in Postgres.
        argv += ["--save", "", "--appendonly", "no"]
        with running(argv, environment={}, log=log) as redis:
            wait_until(
                lambda: _listens(port), child=redis, log=log, limit=START_SECONDS, every=0.05
            )
            yield {"REDIS_URL": f"redis://127.0.0.1:{port}/0"}

    def create_schema(self) -> Sequence[str]:
        """Return the command that makes the table."""
        return [sys.executable, "-m", "benchmarks.systems.celery_redis.schema"]

    def submit(self, tasks: int) -> Sequence[str]:
        """Return the command that inserts the rows and sends a message for each."""
        return [sys.executable, "-m", "benchmarks.systems.celery_redis.submit", str(tasks)]

    def work(self) -> Sequence[str]:
        """Return the command of a prefork worker without its clustering chatter."""
        argv = [sys.executable, "-m", "celery", "-A", "benchmarks.systems.celery_redis.app"]
        argv += ["worker", "--pool", "prefork", "--concurrency", str(PROCESSES)]
        argv += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        return [*argv, "--loglevel", "WARNING"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
