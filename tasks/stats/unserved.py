"""Unserved work: due tasks that no worker can claim."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.db import transaction

from tasks import sql
from tasks.postgres.planner import plan_row_by_row

# How many lanes are looked at, and how many jobs at the front of each.
_LANES = 200
_JOBS = 50


@dataclass(frozen=True, kw_only=True)
class Unserved:
    """A kind of due task in one queue; without a worker for the queue, or only for the kind."""

    queue: str
    kind: str
    has_worker: bool


def unserved() -> list[Unserved]:
    """Return the due work that waits although no worker can take it, by queue and kind.

    Reads only the front of each lane. Work and absence count from HEALTH_TOLERANCE_SECONDS on, and
    paused queues do not count.
    """
    params = {"lanes": _LANES, "limit": _JOBS, "tolerance": settings.HEALTH_TOLERANCE_SECONDS}
    with transaction.atomic():
        plan_row_by_row()
        rows = sql.run(sql.FRONT, params)
    return [
        Unserved(queue=queue, kind=kind, has_worker=has_worker) for queue, kind, has_worker in rows
    ]
