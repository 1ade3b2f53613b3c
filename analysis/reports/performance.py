"""The kind `analytics.performance`: how fast and how well the tasks of each kind were done."""

from __future__ import annotations

from typing import Any

from analysis.input_schema import input_schema
from tasks.kinds import Context
from tasks.stats.performance import performance

SECONDS_ALLOWED = 280.0

INPUT = input_schema(
    {
        "hours": {
            "type": "integer",
            "minimum": 1,
            "maximum": 24 * 90,
            "default": 24,
            "description": "How many of the last hours to look at.",
        },
    }
)


def handle(input: dict[str, Any], context: Context) -> dict[str, Any]:
    """Report throughput, failure rates, and how long tasks waited and ran, by kind.

    Of all owners' tasks, in figures alone; times are in ms.
    """
    found = performance(hours=int(input.get("hours", 24)), seconds_allowed=SECONDS_ALLOWED)
    spelling = "%d %b %H:%M" if found.unit == "hour" else "%d %b"
    return {
        "from": found.start.isoformat(),
        "to": found.end.isoformat(),
        "total": found.total.as_dict(),
        "kinds": [one.as_dict() for one in found.kinds],
        "over_time": {
            "unit": found.unit,
            "labels": [one.start.strftime(spelling) for one in found.buckets],
            "completed": [one.completed for one in found.buckets],
            "failed": [one.failed for one in found.buckets],
        },
    }
