"""Checking the invariants: each statement reads its part of the tables, however long they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.utils import timezone

from tasks.invariants import INVARIANTS, check
from tasks.invariants.parts import FIRST, LAST, Part, newest, next_range
from tasks.invariants.rules import BY_NAME
from tests.plans import rows
from tests.plans.databases import Databases, Moment, Statistics
from tests.plans.explain import ReadsTooMuch, explain, guard
from tests.queue_rows import execute

pytestmark = pytest.mark.xdist_group("plans")

At = Callable[[Moment], None]
LIMIT = 2_000
# Each row of a part is looked up in at most one other big table, or there are two parts. Beside
# them small tables are read: the catalogue, accounts, batches.
BOUND = 2 * LIMIT + 2
STATEMENTS = [
    pytest.param(invariant.name, part, id=f"{invariant.name}-{part.name if part else 'own'}")
    for invariant in INVARIANTS
    for part, _ in invariant.statements()
]


@pytest.fixture
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("tasks.invariants.check.LIMIT", "tasks.invariants.parts.LIMIT"):
        monkeypatch.setattr(name, LIMIT)


def params() -> dict[str, Any]:
    """Return the parameters of a look at a range in the middle of the table."""
    new = newest()
    old = next_range(FIRST, until=new.after)
    assert old is not None
    assert old.until < new.after < LAST
    bounds = {"after": old.after, "until": old.until}
    return {**check._common_params(timezone.now(), new.after), **bounds}


@pytest.mark.usefixtures("_small_parts")
@pytest.mark.parametrize("statistics", Statistics)
@pytest.mark.parametrize("moment", [Moment.WAITING, Moment.FINISHED])
def test_the_bounds_of_a_part_are_found_in_the_key(
    at: At, seeded: Databases, moment: Moment, statistics: Statistics
) -> None:
    at(moment)
    seeded.use(statistics)
    assert params()["newest"] > FIRST


@pytest.mark.usefixtures("_small_parts")
@pytest.mark.parametrize(("name", "part"), STATEMENTS)
@pytest.mark.parametrize("statistics", Statistics)
@pytest.mark.parametrize("moment", [Moment.WAITING, Moment.FINISHED])
def test_a_statement_reads_its_part_alone(
    at: At,
    seeded: Databases,
    moment: Moment,
    statistics: Statistics,
    name: str,
    part: Part | None,
) -> None:
    at(moment)
    seeded.use(statistics)
    statement = dict(BY_NAME[name].statements())[part]
    plan = explain(statement, params())
    big = [
        scan for scan in plan.scans if scan.table in rows.TABLES or scan.table == "tasks_attempt"
    ]
    guard(replace(plan, scans=big), rows=BOUND)


@pytest.mark.usefixtures("_small_parts")
def test_the_guard_fails_when_the_index_of_waiting_tasks_is_missing(at: At) -> None:
    at(Moment.FINISHED)
    values = params()
    execute("DROP INDEX task_pending")
    statement = dict(BY_NAME["waiting_without_job"].statements())[Part.WAITING]
    with pytest.raises(ReadsTooMuch):
        guard(explain(statement, values), rows=BOUND)
