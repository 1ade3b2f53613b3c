"""Mass failure: many tasks fail at the same moment: R42."""

from __future__ import annotations

from tasks import lifecycle
from tasks.lifecycle.preparation import prepare
from tests.faults.harness.row import Dice, Measured, row
from tests.faults.harness.system import System
from tests.script.delivery import POLICIES

TASKS = 2_000
LARGEST_SHARE = 0.05
# By how much chance may exceed what the jitter allows, for two thousand tasks.
CHANCE = 1.1
# The largest share of an attempt's starts in one second, in buckets that begin anywhere.
LARGEST_SECOND = """
    WITH retry AS (
        SELECT claim.at, claim.attempt
        FROM faults_history AS claim
        JOIN tasks_task AS task ON task.id = claim.task_id
        WHERE task.kind = %(kind)s AND claim.became = 'PROCESSING' AND claim.attempt > 1
    )
    SELECT attempt, max(together)::float / count(*)
    FROM (
        SELECT attempt, count(*) OVER (
            PARTITION BY attempt
            ORDER BY at RANGE BETWEEN CURRENT ROW AND interval '1 s' FOLLOWING
        ) AS together
        FROM retry
    ) AS bucket
    GROUP BY attempt
    ORDER BY attempt
"""


@row(
    "R42",
    title="2,000 tasks fail at once",
    promise="jitter and cap spread the retries",
    target="in any second ≤ 5 % of a pause's retries, or what its jitter allows: 1 s ÷ pause",
    limit=300,
)
def a_mass_failure(system: System, dice: Dice) -> Measured:
    """Let 2,000 tasks fail together, by the default policy and by one that waits 40 s."""
    system.workers(processes=2, concurrency=8)
    summaries, met = [], True
    for name, policy in POLICIES.items():
        lifecycle.pause_queue("default")
        input = {"attempts": policy.max_retries + 1}
        system.submit([prepare(name, input) for _ in range(TASKS)])
        lifecycle.resume_queue("default")
        system.wait_until_ended(within=140)
        for attempt, share in system.queries.rows(LARGEST_SECOND, {"kind": name}):
            pause = policy.delay * 2 ** (attempt - 2)
            allowed = min(max(LARGEST_SHARE, CHANCE / pause), 1.0)
            met = met and share <= allowed
            summaries.append(f"{share:.0%} after {pause:g} s (at most {allowed:.0%})")
    return Measured("in the fullest second " + ", ".join(summaries), met=met)
