"""Store: adds this process's counts to those of all, and reads the sums.

The sums outlive processes, and every web server shows those of all machines. A process adds its
counts every few seconds; one that is killed loses those that it has not added yet.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any, LiteralString, Protocol

import orjson

from tasks.counts import Family, counts
from tasks.models import MetricSum

# Seconds between two writes of a process; a killed one loses at most what it counted in this time.
EVERY = 5.0
# In the order of the key, so that processes that write at once do not deadlock.
_ADD: LiteralString = """
    INSERT INTO tasks_metricsum AS stored (name, labels, numbers)
    SELECT
        name,
        ARRAY(
            SELECT value
            FROM jsonb_array_elements_text(new.labels) WITH ORDINALITY
            ORDER BY ordinality
        ) AS labels,
        ARRAY(
            SELECT value::float8
            FROM jsonb_array_elements_text(new.numbers) WITH ORDINALITY
            ORDER BY ordinality
        )
    FROM jsonb_to_recordset(%(new)s::jsonb) AS new (name text, labels jsonb, numbers jsonb)
    ORDER BY name, labels
    ON CONFLICT (name, labels) DO UPDATE
    SET numbers = ARRAY(
        SELECT coalesce(pair.before, 0) + coalesce(pair.new, 0)
        FROM unnest(stored.numbers, excluded.numbers) WITH ORDINALITY AS pair (before, new, place)
        ORDER BY place
    )
"""


class Executing(Protocol):
    """A connection of psycopg, or a cursor of Django's."""

    def execute(self, query: LiteralString, params: dict[str, Any]) -> Any:
        """Run a statement."""


def add_counts(database: Executing) -> None:
    """Add this process's counts to the sums of all; raise what the database raises."""
    sums = counts.take()
    if not sums:
        return
    new = [
        {"name": name, "labels": labels, "numbers": numbers}
        for (name, labels), numbers in sums.items()
    ]
    try:
        database.execute(_ADD, {"new": orjson.dumps(new).decode()})
    except BaseException:
        # The statement may have been committed although its answer was lost: counted twice then.
        counts.add_all(sums)
        raise


def stored() -> dict[str, list[tuple[list[str], list[float]]]]:
    """Return the labels and numbers of each family."""
    sums = defaultdict(list)
    for name, labels, numbers in MetricSum.objects.values_list("name", "labels", "numbers"):
        sums[name].append((labels, numbers))
    return sums


def is_of(family: Family, labels: list[str], numbers: list[float]) -> bool:
    """Return whether a row has the labels and buckets of this version's family."""
    size = len(family.buckets) + 2 if family.buckets else 1
    return len(labels) == len(family.labels) and len(numbers) == size
