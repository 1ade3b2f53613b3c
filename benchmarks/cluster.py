"""PostgreSQL server of a benchmark: temporary, and as durable as in production."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
from psycopg import sql

from benchmarks.errors import BenchmarkError
from taskproject.embedded import EmbeddedError
from tests.servers import drop_database, running

# Enough for 64 worker processes of a peer that opens ten in each.
PARAMETERS = {"max_connections": "1000"}
DURABLE = ("fsync", "synchronous_commit", "full_page_writes")


@dataclass(frozen=True)
class Cluster:
    """A server, reached through the URL of one of its databases."""

    url: str

    @contextmanager
    def database(self, name: str, *, template: str = "template1") -> Iterator[str]:
        """Create a database for the block; yield its URL."""
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        # A checkpoint first, so that no run pays for the writes of the one before.
        self._execute(sql.SQL("CHECKPOINT"))
        self._execute(create.format(sql.Identifier(name), sql.Identifier(template)))
        try:
            yield urlsplit(self.url)._replace(path=f"/{name}").geturl()
        finally:
            with psycopg.connect(self.url, autocommit=True) as session:
                drop_database(session, name)

    def version(self) -> str:
        """Return the server's version; raises BenchmarkError when it is not durable."""
        with psycopg.connect(self.url) as connection:
            for setting in DURABLE:
                value = connection.execute("SELECT current_setting(%s)", (setting,)).fetchone()
                if value != ("on",):
                    raise BenchmarkError(f"{setting} is not on: the runs would not be durable.")
            return connection.info.parameter_status("server_version") or "?"

    def _execute(self, statement: sql.SQL | sql.Composed) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement)


@contextmanager
def running_cluster(directory: Path) -> Iterator[Cluster]:
    """Run a server during the block; raises BenchmarkError where none can run."""
    try:
        with running(directory, parameters=PARAMETERS) as server:
            yield Cluster(url=server.url())
    except EmbeddedError as error:
        raise BenchmarkError(str(error)) from error


def driver_environment(url: str) -> dict[str, str]:
    """Return the environment variables by which every driver connects to the database."""
    parts = urlsplit(url)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    return {
        "DATABASE_URL": url,
        "PGHOST": query["host"],
        "PGPORT": query["port"],
        "PGUSER": parts.username or "",
        "PGDATABASE": parts.path.lstrip("/"),
    }
