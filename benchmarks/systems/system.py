"""What a system under measurement tells the benchmark about itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol


class System(Protocol):
    """A task system whose tasks are rows in Postgres.

    Its table has the columns `status`, `attempt`, `input`, `result`, `started_at` and
    `finished_at`, with the meaning they have in this project. Its commands find the database in
    DATABASE_URL, and in PGHOST, PGPORT, PGUSER and PGDATABASE.
    """

    name: str
    table: str
    tasks: int
    """How many tasks make a run of several seconds."""

    def missing(self) -> str | None:
        """Return what has to be installed before the system can run."""

    def services(self, scratch: Path) -> AbstractContextManager[Mapping[str, str]]:
        """Run what the system needs beside Postgres; the environment for its commands."""

    def create_schema(self) -> Sequence[str]:
        """Return the command that makes the system's tables."""

    def submit(self, how: str, tasks: int) -> Sequence[str]:
        """Return the command that submits the tasks, `many` at once or `one` by one."""

    def work(self) -> Sequence[str]:
        """Return the command that runs two worker processes until SIGTERM."""


class Site(Protocol):
    """A site that takes tasks over HTTP."""

    name: str
    route: str
    body: str
    table: str | None
    """Where each accepted task has its row, or None where nothing is durable."""

    def missing(self) -> str | None:
        """Return what has to be installed before the site can run."""

    def services(self, scratch: Path) -> AbstractContextManager[Mapping[str, str]]:
        """Run what the site needs beside Postgres; the environment for its commands."""

    def create_schema(self) -> Sequence[str]:
        """Return the command that makes the site's tables."""

    def serve(self, port: int) -> Sequence[str]:
        """Return the command that serves with two processes on a loopback port until SIGTERM."""
