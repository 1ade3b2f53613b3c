"""Kind `analytics.conversations`: a report on messages and response times."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.contrib.auth.models import User
from django.db import connection, transaction

from analysis.input_schema import input_schema
from tasks.access import may_see_all
from tasks.kinds import Context

MILLISECONDS_ALLOWED = "280000ms"

INPUT = input_schema(
    {
        "days": {
            "type": "integer",
            "minimum": 1,
            "maximum": 366,
            "default": 7,
            "description": "The number of days, including today.",
        },
    }
)

# `part`: whether the row is of a day, of a platform or of all.
_FIGURES = """
WITH messages AS MATERIALIZED (
    SELECT
        (message.created_at AT TIME ZONE 'UTC')::date AS day,
        conversation.platform, message.conversation_id, message.role, message.response_ms
    FROM analysis_message AS message
    JOIN analysis_conversation AS conversation ON conversation.id = message.conversation_id
    WHERE message.created_at >= %(start)s
        AND (%(owner)s::integer IS NULL OR conversation.owner_id = %(owner)s)
)
SELECT
    grouping(day, platform) AS part,
    day,
    platform,
    count(DISTINCT conversation_id),
    count(*) FILTER (WHERE role = 'user'),
    count(*) FILTER (WHERE role = 'assistant'),
    avg(response_ms)::double precision,
    percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY response_ms)
FROM messages
GROUP BY GROUPING SETS ((day), (platform), ())
ORDER BY part, day, count(*) DESC, platform
"""
_DAY, _PLATFORM, _ALL = 1, 2, 3


def handle(input: dict[str, Any], context: Context) -> dict[str, Any]:
    """Count messages and measure response times by day and by platform.

    A task without an owner (such as a schedule's) or of staff who may see all rows reports on all
    conversations; any other task on those of its owner. Days are in UTC, times in ms.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('statement_timeout', %s, true), now()", [MILLISECONDS_ALLOWED]
        )
        now: dt.datetime = cursor.fetchone()[1]
        today = now.replace(hour=0, minute=0, second=0, microsecond=0)
        start = today - dt.timedelta(days=int(input.get("days", 7)) - 1)
        cursor.execute(_FIGURES, {"start": start, "owner": _owner_filter(context.owner_id)})
        rows = cursor.fetchall()
    days = {row[1]: _figures(row) for row in rows if row[0] == _DAY}
    every_day = [start.date() + dt.timedelta(days=n) for n in range((today - start).days + 1)]
    return {
        "from": start.isoformat(),
        "to": now.isoformat(),
        "total": next(_figures(row) for row in rows if row[0] == _ALL),
        "days": [{"date": str(day), **days.get(day, _NOTHING)} for day in every_day],
        "platforms": [{"platform": row[2], **_figures(row)} for row in rows if row[0] == _PLATFORM],
    }


def _owner_filter(owner_id: int | None) -> int | None:
    """Return the id of the owner to report on, None for all owners."""
    if owner_id is None or may_see_all(User.objects.filter(pk=owner_id).first()):
        return None
    return owner_id


def _figures(row: tuple[Any, ...]) -> dict[str, Any]:
    *_, conversations, from_users, from_assistant, mean, percentiles = row
    return {
        "conversations": conversations,
        "messages": from_users + from_assistant,
        "from_users": from_users,
        "from_assistant": from_assistant,
        "response_ms": percentiles
        and {
            "mean": round(mean),
            "p50": round(percentiles[0]),
            "p95": round(percentiles[1]),
            "p99": round(percentiles[2]),
        },
    }


_NOTHING = _figures((0, 0, 0, None, None))
