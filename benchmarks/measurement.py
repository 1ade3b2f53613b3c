"""What a run took, read from the tasks' own rows."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import LiteralString

import psycopg
from psycopg import sql

from benchmarks.errors import BenchmarkError

OPEN: LiteralString = "SELECT EXISTS (SELECT FROM {} WHERE finished_at IS NULL)"
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


@dataclass(frozen=True)
class Measurement:
    """One run; all durations in seconds."""

    tasks: int
    submit_seconds: float
    drain_seconds: float
    """From the first claim to the last finish, by the database's clock."""
    wall_seconds: float
    """From the start of the worker command to the last finish."""

    @property
    def submit_rate(self) -> float:
        """Tasks submitted a second."""
        return self.tasks / self.submit_seconds

    @property
    def drain_rate(self) -> float:
        """Whole lives a second."""
        return self.tasks / self.drain_seconds


Runs = dict[str, list[Measurement]]
"""The runs of each system, by its name."""


def is_drained(connection: psycopg.Connection, table: str) -> bool:
    """Tell whether no task is left to finish."""
    row = connection.execute(sql.SQL(OPEN).format(sql.Identifier(table))).fetchone()
    return row == (False,)


def measure(
    connection: psycopg.Connection,
    table: str,
    *,
    tasks: int,
    submit_seconds: float,
    workers_started: float,
) -> Measurement:
    """Read a finished run; raises BenchmarkError unless every task has its right result."""
    row = connection.execute(sql.SQL(OUTCOME).format(sql.Identifier(table))).fetchone()
    if row is None or row[:2] != (tasks, tasks):
        raise BenchmarkError(f"{tasks} tasks were submitted; rows, right results: {row}.")
    first_claim, last_finish = float(row[2]), float(row[3])
    return Measurement(
        tasks=tasks,
        submit_seconds=submit_seconds,
        drain_seconds=last_finish - first_claim,
        wall_seconds=last_finish - workers_started,
    )


def middle(runs: list[Measurement]) -> Measurement:
    """Return the median of each duration."""
    return Measurement(
        tasks=runs[0].tasks,
        submit_seconds=median(run.submit_seconds for run in runs),
        drain_seconds=median(run.drain_seconds for run in runs),
        wall_seconds=median(run.wall_seconds for run in runs),
    )
