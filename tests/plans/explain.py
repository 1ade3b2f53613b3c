"""What a statement reads, by its plan; and the guard that fails when that is too much."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from django.db import OperationalError, connection

from tasks.postgres.planner import PLANNER

BIG_TABLES = {"tasks_task", "procrastinate_jobs", "tasks_attempt"}
EXPLAIN = "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON)"
# To estimate a range, the planner itself reads the ends of an index.
PLANNER_READS = 2
# In this transaction.
_READ_SO_FAR = """
SELECT relname, seq_scan, seq_tup_read + coalesce(idx_tup_fetch, 0)
FROM pg_stat_xact_user_tables
WHERE relname = ANY (%s)
"""
# A statement that moves tasks takes less than a tenth of a second, on a busy machine four.
LIMIT_SECONDS = 3


class ReadsTooMuch(AssertionError):
    """A plan reads what it must not."""


@dataclass(frozen=True)
class Scan:
    """One node of a plan that reads a table or an index; all its loops together."""

    type: str
    table: str | None
    index: str | None
    rows: int
    heap_fetches: int


@dataclass(frozen=True)
class Plan:
    """What a statement did, by EXPLAIN; and what it read of the big tables, by their statistics.

    EXPLAIN does not see what functions and triggers read; the statistics do.
    """

    scans: list[Scan]
    blocks: int
    # Rows that its nodes returned, those of results that were kept and read again included.
    returned: int
    # Big tables that were read from end to end, and the rows that were read of all of them.
    read_whole: list[str]
    fetched: int

    @classmethod
    def of(cls, answer: list[dict[str, Any]], *, read_whole: list[str], fetched: int) -> Plan:
        """Read the answer of EXPLAIN."""
        (plan,) = answer
        every = list(_nodes(plan["Plan"]))
        nodes = [node for node in every if node["Node Type"].endswith("Scan")]
        return cls(
            scans=[_scan(node) for node in nodes if {"Relation Name", "Index Name"} & {*node}],
            blocks=plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"],
            returned=round(sum(node["Actual Rows"] * node["Actual Loops"] for node in every)),
            read_whole=read_whole,
            fetched=fetched,
        )

    @property
    def rows_read(self) -> int:
        """Return how many rows and index entries were read, also those that were thrown away."""
        return max(self.fetched - PLANNER_READS, sum(scan.rows for scan in self.scans))

    @property
    def indexes(self) -> set[str]:
        """Return the names of the indexes that were read."""
        return {scan.index for scan in self.scans if scan.index}


def guard(plan: Plan, *, rows: int) -> None:
    """Raise ReadsTooMuch for a sequential scan of a big table, or more rows than the bound."""
    report = "\n".join([f"{plan.blocks:,} blocks of 8 KiB", *map(str, plan.scans)])
    for table in plan.read_whole:
        raise ReadsTooMuch(f"{table} is read from end to end:\n{report}")
    if plan.rows_read > rows:
        raise ReadsTooMuch(f"{plan.rows_read:,} rows were read, at most {rows:,} may be:\n{report}")


Session = Literal["own", "pooled"]


def explain(statement: str, params: Mapping[str, Any], *, session: Session = "own") -> Plan:
    """Run one of the statements in `tasks/sql/`; return its plan. Raises ReadsTooMuch.

    A worker's own sessions have settings for the planner and plan once for all runs; through a
    pooler they have none, and plan each run.
    """
    return prepared(statement, session=session)(params)


def prepared(statement: str, *, session: Session = "own") -> Callable[[Mapping[str, Any]], Plan]:
    """Prepare one of the statements in `tasks/sql/`; return a function that runs it."""
    names = list(dict.fromkeys(re.findall(r"%\((\w+)\)s", statement)))
    for place, name in enumerate(names, start=1):
        statement = statement.replace(f"%({name})s", f"${place}")
    values = f"({', '.join(['%s'] * len(names))})" if names else ""
    with connection.cursor() as cursor:
        cursor.execute("DEALLOCATE ALL")
        cursor.execute(f"PREPARE explained AS {statement.replace('%%', '%')}")
        settings = PLANNER if session == "own" else {"plan_cache_mode": "force_custom_plan"}
        for name, value in settings.items():
            cursor.execute(f"SET LOCAL {name} = {value}")
        cursor.execute(f"SET LOCAL statement_timeout = '{LIMIT_SECONDS}s'")

    def run(params: Mapping[str, Any]) -> Plan:
        with connection.cursor() as cursor:
            try:
                return _explain(
                    cursor, f"EXECUTE explained{values}", [params[name] for name in names]
                )
            except OperationalError as error:
                raise ReadsTooMuch(f"It takes longer than {LIMIT_SECONDS} s.") from error

    return run


@contextmanager
def explained() -> Iterator[list[Plan]]:
    """Collect the plans of the queries on big tables that Django sends meanwhile."""
    plans: list[Plan] = []

    def explain_first(execute: Any, statement: str, params: Any, many: bool, context: Any) -> Any:
        is_query = statement.lstrip().startswith(("SELECT", "WITH"))
        if is_query and any(table in statement for table in BIG_TABLES):
            with connection.cursor() as cursor:
                plans.append(_explain(cursor, statement, params))
        return execute(statement, params, many, context)

    with connection.execute_wrapper(explain_first):
        yield plans


def _explain(cursor: Any, statement: str, params: Any) -> Plan:
    before = _read_so_far(cursor)
    cursor.execute(f"{EXPLAIN} {statement}", params)
    answer = cursor.fetchone()[0]
    after = _read_so_far(cursor)
    return Plan.of(
        answer,
        read_whole=[table for table in after if after[table][0] > before[table][0]],
        fetched=sum(after[table][1] - before[table][1] for table in after),
    )


def _read_so_far(cursor: Any) -> dict[str, tuple[int, int]]:
    """Return how often each big table was read from end to end, and how many rows of it."""
    cursor.execute(_READ_SO_FAR, [list(BIG_TABLES)])
    return {table: (whole, rows) for table, whole, rows in cursor.fetchall()}


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for child in node.get("Plans", []):
        yield from _nodes(child)


def _scan(node: dict[str, Any]) -> Scan:
    # Means of all loops, each with two decimals.
    read = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck")
    return Scan(
        type=node["Node Type"],
        table=node.get("Relation Name"),
        index=node.get("Index Name"),
        rows=round(sum(node.get(name, 0) for name in read) * node["Actual Loops"]),
        heap_fetches=node.get("Heap Fetches", 0),
    )
