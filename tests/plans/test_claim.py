"""Claiming: plans of the statements that a worker repeats, for queues of any length."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import pytest

from tasks import sql
from tasks.lifecycle.staging import STAGE_LIMIT
from tasks.worker import claimer
from tests.plans import rows
from tests.plans.databases import Databases, Moment, Statistics
from tests.plans.explain import ReadsTooMuch, Session, explain, guard
from tests.plans.worker import STAGE_PARAMS, claim_params
from tests.queue_rows import execute

pytestmark = pytest.mark.xdist_group("plans")

LIMIT = 200
At = Callable[[Moment], None]

# Each lane is probed, read up to the limit, and for what waits below the highest priority read
# again, up to the low share. What is chosen is looked up by key twice: to change the task and to
# delete the job; a bitmap scan counts its index entries and its rows.
WORKER_ROW = 1
CLAIM_ROWS = WORKER_ROW + rows.LANES * (LIMIT + int(LIMIT * claimer.LOW_SHARE) + 1) + 2 * 2 * LIMIT
# Each lane is probed, and counted up to the limit.
LANES_ROWS = rows.LANES * (claimer.LANE_LIMIT + 1)
# What is due, and the next that will be.
STAGE_ROWS = 1
# The first that waits, and the first that is due.
LOOK_ROWS = 2

MISLED = pytest.mark.xfail(
    raises=ReadsTooMuch,
    strict=True,
    reason="where the planner assumes that next to nothing waits, it reads all that waits through"
    " some other index, and sorts it",
)


def cases(*misled: tuple[Moment, Statistics]) -> Any:
    """Combine rows, statistics and sessions; `misled` are those that mislead a pooled session."""
    return pytest.mark.parametrize(
        ("moment", "statistics", "session"),
        [
            pytest.param(
                moment,
                statistics,
                session,
                id=f"{moment}, statistics {statistics}, {session} session",
                marks=[MISLED] if session == "pooled" and (moment, statistics) in misled else [],
            )
            for moment in Moment
            for statistics in Statistics
            for session in get_args(Session)
        ],
    )


@cases(*((moment, Statistics.IDLE) for moment in Moment))
def test_a_claim_reads_only_jobs_that_it_may_take(
    at: At, seeded: Databases, moment: Moment, statistics: Statistics, session: Session
) -> None:
    at(moment)
    params = claim_params(limit=LIMIT)
    seeded.use(statistics)
    guard(
        explain(sql.CLAIM, params, session=session),
        rows=WORKER_ROW if moment == Moment.IDLE else CLAIM_ROWS,
    )


def test_a_claim_reads_nothing_of_other_queues(at: At) -> None:
    at(Moment.WAITING)
    plan = explain(sql.CLAIM, claim_params(limit=LIMIT, queues=["callbacks"]))
    guard(plan, rows=WORKER_ROW + rows.LANES)


@cases((Moment.WAITING, Statistics.IDLE))
def test_counting_the_lanes_reads_up_to_its_limit(
    at: At, seeded: Databases, moment: Moment, statistics: Statistics, session: Session
) -> None:
    at(moment)
    seeded.use(statistics)
    guard(explain(sql.LANES, {"limit": claimer.LANE_LIMIT}, session=session), rows=LANES_ROWS)


@cases((Moment.WAITING, Statistics.IDLE))
def test_staging_does_not_read_jobs_that_are_scheduled_for_later(
    at: At, seeded: Databases, moment: Moment, statistics: Statistics, session: Session
) -> None:
    at(moment)
    seeded.use(statistics)
    guard(explain(sql.STAGE, STAGE_PARAMS, session=session), rows=STAGE_ROWS)


@pytest.mark.parametrize("statement", ["stage", "answer_waiting"])
def test_staging_does_not_read_blocked_jobs(at: At, statement: str) -> None:
    at(Moment.WAITING)
    execute(
        "UPDATE procrastinate_jobs SET scheduled_at = 'infinity', tasks_line = 1"
        " WHERE scheduled_at IS NOT NULL"
    )
    execute(
        "UPDATE procrastinate_jobs SET tasks_line = 0 WHERE scheduled_at IS NULL AND id % 20 = 0"
    )
    execute("ANALYZE procrastinate_jobs")
    # So that `tasks_admit` is called.
    execute(
        "INSERT INTO tasks_permit (key, is_rated, created_at, released_at)"
        " VALUES ('queue none', false, now(), now())"
    )
    statements = {"stage": sql.STAGE, "answer_waiting": sql.ANSWER_WAITING}
    params = STAGE_PARAMS if statement == "stage" else {"limit": STAGE_LIMIT}
    guard(explain(statements[statement], params), rows=STAGE_ROWS + 1)


@cases(*((moment, Statistics.IDLE) for moment in Moment))
def test_a_look_for_jobs_reads_one_that_waits_and_one_that_is_due(
    at: At, seeded: Databases, moment: Moment, statistics: Statistics, session: Session
) -> None:
    at(moment)
    seeded.use(statistics)
    guard(explain(sql.IS_WAITING, {}, session=session), rows=LOOK_ROWS)


@pytest.mark.parametrize(
    ("statement", "params", "index", "bound"),
    [
        pytest.param(sql.CLAIM, None, "tasks_waiting", CLAIM_ROWS, id="claim"),
        pytest.param(
            sql.LANES, {"limit": claimer.LANE_LIMIT}, "tasks_waiting", LANES_ROWS, id="lanes"
        ),
        pytest.param(sql.STAGE, STAGE_PARAMS, "tasks_scheduled", STAGE_ROWS, id="stage"),
        pytest.param(sql.IS_WAITING, {}, "tasks_scheduled", LOOK_ROWS, id="look"),
    ],
)
def test_the_guard_fails_when_an_index_is_missing(
    at: At, statement: str, params: dict[str, Any] | None, index: str, bound: int
) -> None:
    at(Moment.WAITING)
    execute(f"DROP INDEX {index}")
    with pytest.raises(ReadsTooMuch):
        guard(explain(statement, params or claim_params(limit=LIMIT)), rows=bound)
