"""Finishing: 500 endings in one statement, while as many other tasks run."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import pytest

from tasks import sql
from tasks.lifecycle.ending import parameters
from tasks.worker.finisher import GROUP_LIMIT
from tests.plans.databases import SUBMITTED, Databases, Moment, Statistics
from tests.plans.explain import ReadsTooMuch, Session, explain, guard
from tests.plans.worker import claim, endings
from tests.queue_rows import execute

pytestmark = pytest.mark.xdist_group("plans")

At = Callable[[Moment], None]
# Each is looked up by key, and those that are queued again once more for the owner of the job; a
# bitmap counts its index entries and its rows.
BOUND = 2 * 2 * GROUP_LIMIT


@pytest.mark.parametrize("session", get_args(Session))
@pytest.mark.parametrize("statistics", Statistics)
@pytest.mark.parametrize("moment", [Moment.WAITING, Moment.FINISHED])
def test_a_finish_reads_its_own_tasks_and_jobs(
    at: At,
    seeded: Databases,
    moment: Moment,
    statistics: Statistics,
    session: Session,
) -> None:
    at(moment)
    running = claim(limit=SUBMITTED)
    seeded.use(statistics)
    params = parameters(endings(running[::2]), worker="plans")
    guard(explain(sql.FINISH, params, session=session), rows=BOUND)


def test_the_guard_fails_when_the_key_is_missing(at: At) -> None:
    at(Moment.FINISHED)
    params = parameters(endings(claim(limit=SUBMITTED)[::2]), worker="plans")
    execute("SET CONSTRAINTS ALL IMMEDIATE")
    execute("ALTER TABLE tasks_task DROP CONSTRAINT tasks_task_pkey CASCADE")
    # PostgreSQL 18 would skip through the owners.
    execute("DROP INDEX task_owned_newest")
    with pytest.raises(ReadsTooMuch):
        guard(explain(sql.FINISH, params), rows=BOUND)
