"""The kind `analytics.conversations`: how much is said, and how fast it is answered."""

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
            "description": "How many days to look at, the one that has begun included.",
        },
    }
)

# `part` tells the whole from its days and from its platforms.
_FIGURES = """
WITH said AS MATERIALIZED (
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
FROM said
GROUP BY GROUPING SETS ((day), (platform), ())
ORDER BY part, day, count(*) DESC, platform
"""
_DAY, _PLATFORM, _ALL = 1, 2, 3


def handle(input: dict[str, Any], context: Context) -> dict[str, Any]:
    """Count messages and measure response times by day and by platform; days are UTC's.

    Of all conversations where the task is nobody's, as a schedule's may be, or staff's who may see
    all; of their own for anybody else. Times are in ms.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('statement_timeout', %s, true), now()", [MILLISECONDS_ALLOWED]
        )
        now: dt.datetime = cursor.fetchone()[1]
        today = now.replace(hour=0, minute=0, second=0, microsecond=0)
        start = today - dt.timedelta(days=int(input.get("days", 7)) - 1)
        cursor.execute(_FIGURES, {"start": start, "owner": _only_of(context.owner_id)})
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


def _only_of(owner_id: int | None) -> int | None:
    """Return the owner whose conversations are counted, None for those of every owner."""
    if owner_id is None or may_see_all(User.objects.filter(pk=owner_id).first()):
        return None
    return owner_id


def _figures(row: tuple[Any, ...]) -> dict[str, Any]:
    *_, conversations, asked, answered, mean, percentiles = row
    return {
        "conversations": conversations,
        "messages": asked + answered,
        "from_users": asked,
        "from_assistant": answered,
        "response_ms": percentiles
        and {
            "mean": round(mean),
            "p50": round(percentiles[0]),
            "p95": round(percentiles[1]),
            "p99": round(percentiles[2]),
        },
    }


_NOTHING = _figures((0, 0, 0, None, None))
