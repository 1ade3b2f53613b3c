"""Recovery times (I7): how long the tasks of a killed worker waited for their next start."""

from __future__ import annotations

from dataclasses import dataclass

from tests.faults.harness.queries import Queries

# Held at the fault: claimed before it, and not ended within 1 s (a commit may be under way).
RECOVERIES = """
    WITH held AS (
        SELECT fault.at, claim.task_id, claim.id
        FROM faults_fault AS fault
        JOIN faults_history AS claim
            ON claim.worker_id = fault.worker_id AND claim.became = 'PROCESSING'
            AND claim.at <= fault.at
        WHERE NOT EXISTS (
            SELECT FROM faults_history AS ending
            WHERE ending.task_id = claim.task_id AND ending.id > claim.id
                AND ending.at < fault.at + interval '1 s'
        )
    )
    SELECT extract(epoch FROM min(next.at) - held.at)::float
    FROM held
    JOIN faults_history AS next
        ON next.task_id = held.task_id AND next.id > held.id AND next.became = 'PROCESSING'
    GROUP BY held.task_id, held.id, held.at
    ORDER BY 1
"""


@dataclass(frozen=True)
class Recovery:
    """Seconds from a fault to the next start, for all tasks that it hit."""

    seconds: tuple[float, ...]

    @property
    def longest(self) -> float:
        return max(self.seconds, default=0.0)

    def __str__(self) -> str:
        if not self.seconds:
            return "no task was hit"
        middle = self.seconds[len(self.seconds) // 2]
        return (
            f"{len(self.seconds)} tasks hit, next start after {middle:.1f} s (median), "
            f"{self.longest:.1f} s (max)"
        )


def recoveries(queries: Queries) -> Recovery:
    """Return the recovery times of every task that a recorded fault hit."""
    return Recovery(tuple(seconds for (seconds,) in queries.rows(RECOVERIES)))
