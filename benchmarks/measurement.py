"""Measurements of a run, read from the rows of the tasks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from benchmarks.errors import BenchmarkError

OPEN: LiteralString = "SELECT EXISTS (SELECT FROM {} WHERE finished_at IS NULL)"
STARTED: LiteralString = "SELECT EXISTS (SELECT FROM {} WHERE started_at IS NOT NULL)"
OUTCOME: LiteralString = """
SELECT count(*),
       count(*) FILTER (
           WHERE status = 'COMPLETED' AND attempt = 1
             AND (result ->> 'sum')::int = (
                 SELECT sum(number::int) FROM jsonb_array_elements(input -> 'numbers') number
             )
       ),
       extract(epoch FROM min(started_at)),
       extract(epoch FROM max(finished_at))
FROM {}
"""


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """One run; all durations in seconds."""

    tasks: int
    submit_seconds: float
    drain_seconds: float
    """From the first claim to the last finish, by the rows' own times."""
    cpu_seconds: float
    """Of workers, broker and Postgres together, while the tasks drained."""
    memory_mib: float
    """The most that workers and broker held."""
    wal_bytes: float
    """Written to PostgreSQL's write-ahead log, from the submit to the last finish."""

    @property
    def submit_rate(self) -> float:
        """Return how many tasks were submitted a second."""
        return self.tasks / self.submit_seconds

    @property
    def drain_rate(self) -> float:
        """Return how many tasks were finished a second."""
        return self.tasks / self.drain_seconds


Runs = dict[str, list[Measurement]]
"""The runs of each system, by its name."""


def is_drained(connection: psycopg.Connection[Any], table: str) -> bool:
    """Return whether every task has finished."""
    return not _is(connection, OPEN, table)


def has_begun(connection: psycopg.Connection[Any], table: str) -> bool:
    """Return whether a worker has started a task."""
    return _is(connection, STARTED, table)


def wal_position(connection: psycopg.Connection[Any]) -> float:
    """Return how many bytes the server has written to its write-ahead log so far."""
    row = connection.execute("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn").fetchone()
    assert row is not None
    return float(row[0])


def drain_seconds(connection: psycopg.Connection[Any], table: str, *, tasks: int) -> float:
    """Return how long a run took; raises BenchmarkError unless every result is right."""
    row = connection.execute(sql.SQL(OUTCOME).format(sql.Identifier(table))).fetchone()
    if row is None or row[:2] != (tasks, tasks):
        raise BenchmarkError(f"{tasks} tasks were submitted; rows and right results differ: {row}.")
    return float(row[3] - row[2])


def _is(connection: psycopg.Connection[Any], query: LiteralString, table: str) -> bool:
    return connection.execute(sql.SQL(query).format(sql.Identifier(table))).fetchone() == (True,)
