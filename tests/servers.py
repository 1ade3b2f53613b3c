"""PostgreSQL servers for tests and benchmarks, which may run as root."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from taskproject.embedded import EmbeddedError, EmbeddedPostgres

ROOT = Path(__file__).resolve().parent.parent


class ServerProcess:
    """An embedded PostgreSQL that a process of its own holds (`tests/serving.py`)."""

    def __init__(
        self,
        data_dir: Path,
        *,
        parameters: Mapping[str, str] | None = None,
        unmarked: Collection[str] = (),
    ) -> None:
        """Describe a server; `unmarked` names variables that its process does not inherit."""
        self.embedded = EmbeddedPostgres(data_dir)
        # Added to the server's environment at the next start.
        self.environment: dict[str, str] = {}
        self._parameters = parameters or {}
        self._data_dir = data_dir
        self._unmarked = unmarked
        self._popen: subprocess.Popen[str] | None = None

    @property
    def pid(self) -> int:
        """Return the process id of the postmaster."""
        return postmaster(self.embedded)

    def start(self, *flags: str) -> None:
        """Start the server, with recovery after a crash. Raises EmbeddedError."""
        options = [f"--parameter={name}={value}" for name, value in self._parameters.items()]
        options += [f"--environment={name}={value}" for name, value in self.environment.items()]
        self._popen = subprocess.Popen(
            [sys.executable, "-m", "tests.serving", *flags, *options, str(self._data_dir)],
            cwd=ROOT,
            env={name: text for name, text in os.environ.items() if name not in self._unmarked},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # Ctrl-C is for the tests, which then end the server.
            process_group=0,
        )
        assert self._popen.stdout is not None
        if (line := self._popen.stdout.readline()) != "ready\n":
            output = line + self._popen.stdout.read()
            self.end()
            raise EmbeddedError(output.strip())

    def end(self) -> None:
        """Wait for the end of the process, which shuts the server down unless it has ended."""
        process, self._popen = self._popen, None
        if process is not None:
            process.communicate()

    def kill(self) -> None:
        """Kill the process that holds the server."""
        assert self._popen is not None
        self._popen.kill()
        self.end()


def postmaster(embedded: EmbeddedPostgres) -> int:
    """Return the process id of a running server."""
    return int((embedded.cluster / "postmaster.pid").read_text().splitlines()[0])


@contextmanager
def running(
    data_dir: Path, *flags: str, parameters: Mapping[str, str] | None = None
) -> Iterator[EmbeddedPostgres]:
    """Run a server during the block. Raises EmbeddedError."""
    server = ServerProcess(data_dir, parameters=parameters)
    server.start(*flags)
    try:
        yield server.embedded
    finally:
        server.end()


def drop_database(session: psycopg.Connection[Any], name: str) -> None:
    """Drop a database and end the sessions in it.

    FORCE would be refused while autovacuum, which belongs to the superuser, is in it. A plain DROP
    ends that, and waits up to 5 s for sessions that are ending.
    """
    session.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = %s AND usename = current_user",
        [name],
    )
    session.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
