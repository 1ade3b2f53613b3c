"""What a worker process sends, with the parameters that it sends."""

from __future__ import annotations

from typing import Any

from django.db import connection

from tasks import kinds, sql
from tasks.lanes import RETRY_SHARE
from tasks.lifecycle.ending import Claim, Ending, completed, raised, released
from tasks.lifecycle.staging import STAGE_LIMIT
from tasks.worker.claimer import LOW_SHARE
from tests.factories import make_worker

STAGE_PARAMS = {"limit": STAGE_LIMIT, "answered": False}


def claim_params(*, limit: int, queues: list[str] | None = None) -> dict[str, Any]:
    """Return the parameters of a claim, as `Claimer` makes them."""
    return {
        "worker": make_worker("plans"),
        "queues": queues,
        "limit": limit,
        "retry_share": int(limit * RETRY_SHARE),
        "low_share": int(limit * LOW_SHARE),
        "task_names": [f"task:{name}" for name in kinds.all_kinds()],
    }


def claim(*, limit: int) -> list[Claim]:
    """Claim tasks."""
    with connection.cursor() as cursor:
        cursor.execute(sql.CLAIM, claim_params(limit=limit))
        return [Claim(*row) for row in cursor.fetchall()]


def endings(claims: list[Claim]) -> list[Ending]:
    """End claims in three ways: completed, failed with a retry, and released."""
    kind = kinds.get("test.script")
    ways = (
        lambda claim: completed(claim, {"done": True}),
        lambda claim: raised(claim, kind, ValueError("requested failure")),
        released,
    )
    return [ways[n % 3](claim) for n, claim in enumerate(claims)]
