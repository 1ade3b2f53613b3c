from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.work import PROCESSES

HERE = Path(__file__).resolve().parent
# Where `make benchmark` installs its packages, unless the variable names another place.
NODE_MODULES = Path(os.environ.get("BENCHMARK_NODE_MODULES", f"{sys.prefix}/node_modules"))


class Graphile:
    """graphile-worker on Node, with its local queue and completions in batches."""

    name = "graphile-worker"
    table = "task"
    tasks = 20_000

    def missing(self) -> str | None:
        """Return what is not installed, or None."""
        if not shutil.which("node"):
            return "node is not installed"
        if not (NODE_MODULES / "graphile-worker").exists():
            return f"graphile-worker is not installed in {NODE_MODULES}"
        return None

    @contextmanager
    def services(self, scratch: Path) -> Iterator[Mapping[str, str]]:
        """Yield the environment; no service but Postgres is needed."""
        yield {"NODE_PATH": str(NODE_MODULES), "NODE_ENV": "production"}

    def create_schema(self) -> Sequence[str]:
        """Return the command that creates the tables."""
        return [sys.executable, "-m", "benchmarks.systems.graphile.schema", *self._worker()]

    def submit(self, how: str, tasks: int) -> Sequence[str]:
        """Return the command that submits the tasks through SQL."""
        return [sys.executable, "-m", "benchmarks.systems.graphile.submit", how, str(tasks)]

    def work(self) -> Sequence[str]:
        """Return the command that runs the worker in each process."""
        several = [sys.executable, "-m", "benchmarks.systems.several", str(PROCESSES)]
        return [*several, *self._worker()]

    def _worker(self) -> list[str]:
        return ["node", str(HERE / "worker.js")]
