"""What runs and what waits under limits."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from tasks import sql
from tasks.models import Limit

# Blocked tasks are counted up to this number.
BLOCKED_LIMIT = 10_000
_USAGE = """
    SELECT
        place.key,
        (
            SELECT count(*) FROM tasks_permit AS permit
            WHERE permit.released_at IS NULL
                AND (
                    permit.key = place.key
                    OR place.has_values AND permit.key LIKE place.key || ':%%'
                )
        ),
        (
            SELECT count(*) FROM (
                SELECT FROM tasks_line AS line
                JOIN procrastinate_jobs AS job ON job.tasks_line = line.id AND job.tasks_line > 0
                WHERE EXISTS (
                    SELECT FROM unnest(line.keys) AS key
                    WHERE key = place.key OR place.has_values AND key LIKE place.key || ':%%'
                )
                LIMIT %(limit)s
            ) AS blocked
        )
    FROM unnest(%(keys)s::text[], %(have_values)s::boolean[]) AS place (key, has_values)
"""
# The values with the most permits and lines, of a limit that counts each value apart.
_BUSIEST = """
    SELECT substr(key, strpos(key, ':') + 1) AS value, sum(permits)::bigint, bool_or(is_blocked)
    FROM (
        SELECT key, count(*) AS permits, false AS is_blocked
        FROM tasks_permit
        WHERE released_at IS NULL AND key LIKE %(key)s || ':%%'
        GROUP BY key
        UNION ALL
        SELECT blocked_at, 0, true
        FROM tasks_line
        WHERE blocked_at LIKE %(key)s || ':%%'
    ) AS used
    GROUP BY key
    ORDER BY bool_or(is_blocked) DESC, sum(permits) DESC, key
    LIMIT %(limit)s
"""


@dataclass(frozen=True)
class Usage:
    """How many tasks have a permit of a limit, and so run or are about to; and how many wait.

    A task that waits for another limit waits under this one too. `blocked` is at most
    BLOCKED_LIMIT.
    """

    running: int = 0
    blocked: int = 0


@dataclass(frozen=True)
class ValueUsage:
    """The use of a limit by one owner (their id) or one value."""

    value: str
    running: int
    is_full: bool


def limit_usage(limits: Sequence[Limit]) -> dict[uuid.UUID, Usage]:
    """Return what runs and waits under each of these limits."""
    keys = {limit.key: limit.pk for limit in limits}
    params = {
        "keys": list(keys),
        "have_values": [limit.has_values for limit in limits],
        "limit": BLOCKED_LIMIT,
    }
    return {keys[key]: Usage(running, blocked) for key, running, blocked in sql.run(_USAGE, params)}


def busiest_values(limit: Limit, *, count: int) -> list[ValueUsage]:
    """Return the values that wait for a permit first, then those with the most."""
    if not limit.has_values:
        return []
    return [ValueUsage(*row) for row in sql.run(_BUSIEST, {"key": limit.key, "limit": count})]
