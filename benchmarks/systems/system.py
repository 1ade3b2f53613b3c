"""Protocols of the systems and sites that the benchmark measures."""

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
    """The number of tasks for a run of several seconds."""

    def missing(self) -> str | None:
        """Return what must be installed before the system can run, or None."""

    def services(self, scratch: Path) -> AbstractContextManager[Mapping[str, str]]:
        """Run what the system needs beside Postgres; yield the environment for its commands."""

    def create_schema(self) -> Sequence[str]:
        """Return the command that creates the system's tables."""

    def submit(self, how: str, tasks: int) -> Sequence[str]:
        """Return the command that submits the tasks, `many` at once or `one` by one."""

    def work(self) -> Sequence[str]:
        """Return the command that runs two worker processes until SIGTERM."""


class Site(Protocol):
    """A site that accepts tasks over HTTP."""

    name: str
    route: str
    body: str
    table: str | None
    """The table with a row for each accepted task, or None if tasks are not durable."""

    def missing(self) -> str | None:
        """Return what must be installed before the site can run, or None."""

    def services(self, scratch: Path) -> AbstractContextManager[Mapping[str, str]]:
        """Run what the site needs beside Postgres; yield the environment for its commands."""

    def create_schema(self) -> Sequence[str]:
        """Return the command that creates the site's tables."""

    def serve(self, port: int) -> Sequence[str]:
        """Return the command that serves with two processes on a loopback port until SIGTERM."""
