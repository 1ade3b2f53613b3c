"""Unique and expiring tasks: what finds them reads no others."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import tasks
from tasks import lifecycle, sql
from tasks.kinds import Unique
from tasks.lifecycle.preparation import submit_params, submit_statement
from tasks.submission import Owned
from tests.plans.databases import Databases, Moment, Statistics
from tests.plans.explain import explain, guard
from tests.queue_rows import execute

pytestmark = [pytest.mark.xdist_group("plans"), pytest.mark.parametrize("statistics", Statistics)]

At = Callable[[Moment], None]
MOMENTS = pytest.mark.parametrize("moment", [Moment.WAITING, Moment.FINISHED])
UNIQUE = Unique(key="k", while_="waiting", on_conflict="replace")
# The task, once for each part of the statement, its jobs, and those that `submit` reads.
BOUND = 20


@MOMENTS
def test_a_repeated_request_reads_only_the_unique_task(
    at: At, seeded: Databases, moment: Moment, statistics: Statistics
) -> None:
    at(moment)
    seeded.use(statistics)
    tasks.submit("test.script", {}, unique=UNIQUE, delay=60)
    new = [Owned(lifecycle.prepare("test.script", {"n": 2}, unique=UNIQUE), None)]
    params = submit_params(new, commits_at_once=True)
    guard(explain(submit_statement(new), params), rows=BOUND)
    guard(explain(sql.REPLACE, params), rows=BOUND)
    guard(explain(sql.FREE_KEYS, {"keys": [new[0].unique_key]}), rows=BOUND)


@MOMENTS
def test_expiring_reads_only_what_expires(
    at: At, seeded: Databases, moment: Moment, statistics: Statistics
) -> None:
    at(moment)
    seeded.use(statistics)
    for _ in range(3):
        tasks.submit("test.script", {}, expires_in=60)
    guard(explain(sql.EXPIRE, {"limit": 1_000}), rows=0)
    execute("UPDATE tasks_task SET expires_at = created_at WHERE expires_at IS NOT NULL")
    guard(explain(sql.EXPIRE, {"limit": 1_000}), rows=3 * BOUND)
