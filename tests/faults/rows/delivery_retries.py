"""Mass failure: many tasks fail at the same moment: R42."""

from __future__ import annotations

from tasks import lifecycle
from tasks.lifecycle.preparation import prepare
from tests.faults.harness.row import Dice, Measured, row
from tests.faults.harness.system import System
from tests.script.delivery import POLICIES

TASKS = 2_000
LARGEST_SHARE = 0.05
# When each second and later attempt began, in buckets that begin anywhere.
LARGEST_SECOND = """
    WITH retry AS (
        SELECT claim.at
        FROM faults_history AS claim
        JOIN tasks_task AS task ON task.id = claim.task_id
        WHERE task.kind = %(kind)s AND claim.became = 'PROCESSING' AND claim.attempt > 1
    )
    SELECT max(together)::float / count(*), extract(epoch FROM max(at) - min(at))::float
    FROM (
        SELECT at, count(*) OVER (
            ORDER BY at RANGE BETWEEN CURRENT ROW AND interval '1 s' FOLLOWING
        ) AS together
        FROM retry
    ) AS bucket
"""


@row(
    "R42",
    title="2,000 tasks fail at once",
    promise="jitter and cap spread the retries",
    target="≤ 5 % of the retries in any second",
    limit=300,
)
def a_mass_failure(system: System, dice: Dice) -> Measured:
    """Let 2,000 tasks fail together, by the default policy and by one that waits 40 s."""
    system.workers(processes=2, concurrency=8)
    shares, summaries = [], []
    for name, policy in POLICIES.items():
        lifecycle.pause_queue("default")
        input = {"attempts": policy.max_retries + 1}
        system.submit([prepare(name, input) for _ in range(TASKS)])
        lifecycle.resume_queue("default")
        system.wait_until_ended(within=140)
        ((share, span),) = system.queries.rows(LARGEST_SECOND, {"kind": name})
        shares.append(share)
        summaries.append(
            f"{share:.0%} in the fullest second of {span:.0f} s with {policy.max_retries} retries "
            f"after {policy.delay:g} s"
        )
    return Measured("; ".join(summaries), met=shares[0] <= LARGEST_SHARE)
