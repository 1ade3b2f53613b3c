"""The worker's statements, run by hand over Django's connection."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from django.db import connection

from tasks import kinds, lifecycle, sql
from tasks.lifecycle.ending import Claim, ClaimKey, Ending, parameters


def claim(
    worker_id: int,
    *,
    limit: int = 10,
    queues: Sequence[str] | None = None,
    retry_share: int = 3,
    low_share: int = 0,
) -> list[Claim]:
    """Claim as a worker does, when the leader has staged all that is due."""
    while lifecycle.stage(sql.run).due_in == 0.0:
        pass
    with connection.cursor() as cursor:
        params = {
            "worker": worker_id,
            "queues": list(queues) if queues else None,
            "limit": limit,
            "retry_share": retry_share,
            "low_share": low_share,
            "task_names": [f"task:{name}" for name in kinds.all_kinds()],
        }
        cursor.execute(sql.CLAIM, params)
        return [
            # Django leaves JSON to its fields.
            Claim(*row)._replace(input=json.loads(row[5]))
            for row in cursor.fetchall()
        ]


def finish(*endings: Ending) -> int:
    """Finish as a worker does; return how many rows the fence let through."""
    with connection.cursor() as cursor:
        cursor.execute(sql.FINISH, parameters(endings, worker="test:1"))
        return len(cursor.fetchall())


def progress(*claims: Claim, percent: int = 50, message: str = "in progress") -> int:
    """Report progress as a worker does; return how many rows the fence let through."""
    with connection.cursor() as cursor:
        params: dict[str, Any] = {
            "task_ids": [claim.id for claim in claims],
            "claim_numbers": [claim.claim_number for claim in claims],
            "percents": [percent for _ in claims],
            "messages": [message for _ in claims],
        }
        cursor.execute(sql.PROGRESS, params)
        return int(cursor.rowcount)


def heartbeat(worker_id: int) -> tuple[bool, list[ClaimKey]]:
    """Renew as a worker does; return whether the lease still held, and the claims to cancel."""
    with connection.cursor() as cursor:
        vitals: dict[str, Any] = {
            "state": "running", "running": 0, "processed": 0, "failed": 0, "memory_kib": 50_000,
            "buffered": 0, "claims": 0, "claim_seconds": 0.0,
        }  # fmt: skip
        cursor.execute(sql.HEARTBEAT, {"worker": worker_id, **vitals})
        held, *arrays = cursor.fetchone()
        rows = zip(*arrays, strict=True)
        return held, [(task_id, number) for task_id, number, to_cancel in rows if to_cancel]
