from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from benchmarks.systems.ours.system import Ours


class OurSite:
    """This project's site, served as `make run` serves it: two processes on two cores."""

    table: str | None = "tasks_task"

    def __init__(
        self,
        name: str = "this project",
        *,
        route: str = "/api/v1/tasks/",
        body: str = '{"kind": "benchmark.sum", "input": {"numbers": [1, 2, 3]}}',
    ) -> None:
        self.name = name
        self.route = route
        self.body = body
        self._system = Ours()

    def missing(self) -> str | None:
        """Return None: the project's own requirements are enough."""
        return None

    def services(self, scratch: Path) -> AbstractContextManager[dict[str, str]]:
        """Yield the environment; no service but Postgres is needed."""
        return self._system.services(scratch)

    def create_schema(self) -> Sequence[str]:
        """Return the command that migrates."""
        return self._system.create_schema()

    def serve(self, port: int) -> Sequence[str]:
        """Return the web server's command; host and port come from the environment."""
        return [sys.executable, "-m", "taskproject.web"]
