"""Limits written as rows, and what holds of permits and lines."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from tasks import sql
from tasks.models import Limit, Scope
from tests.queue_rows import execute


def make_limit(scope: str = Scope.QUEUE, name: str = "default", **fields: Any) -> Limit:
    """Write a limit that applies."""
    now = timezone.now()
    return Limit.objects.create(scope=scope, name=name, changed_at=now, applies_at=now, **fields)


def permits() -> dict[str, int]:
    """Return how many permits are held for each key."""
    return dict(
        execute("SELECT key, count(*) FROM tasks_permit WHERE released_at IS NULL GROUP BY key")
    )


def blocked() -> int:
    """Return how many jobs are in lines."""
    ((count,),) = execute("SELECT count(*) FROM procrastinate_jobs WHERE tasks_line > 0")
    return int(count)


def stage(*, limit: int) -> float | None:
    """Stage once; return the seconds until the next time, 0 if there is more to do."""
    ((seconds,),) = execute(sql.STAGE, {"limit": limit})
    return seconds  # type: ignore[no-any-return]
