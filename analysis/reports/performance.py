"""Kind `analytics.performance`: a report on the throughput, failures and times of each kind."""

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
            "description": "The number of hours up to now.",
        },
    }
)


def handle(input: dict[str, Any], context: Context) -> dict[str, Any]:
    """Report throughput, failure rates, and waiting and running times, by kind.

    The figures are of all owners' tasks; times are in ms.
    """
    report = performance(hours=int(input.get("hours", 24)), seconds_allowed=SECONDS_ALLOWED)
    label_format = "%d %b %H:%M" if report.unit == "hour" else "%d %b"
    return {
        "from": report.start.isoformat(),
        "to": report.end.isoformat(),
        "total": report.total.as_dict(),
        "kinds": [kind.as_dict() for kind in report.kinds],
        "over_time": {
            "unit": report.unit,
            "labels": [bucket.start.strftime(label_format) for bucket in report.buckets],
            "completed": [bucket.completed for bucket in report.buckets],
            "failed": [bucket.failed for bucket in report.buckets],
        },
    }
