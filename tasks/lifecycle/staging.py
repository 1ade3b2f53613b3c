"""Staging: scheduled tasks that are due, and blocked ones that may start, can be claimed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, LiteralString

from tasks import sql
from tasks.lifecycle.telemetry import emit

STAGE_LIMIT = 1_000

Run = Callable[[LiteralString, dict[str, Any]], list[Any]]


def stage(run: Run, *, limit: int = STAGE_LIMIT) -> float | None:
    """Stage at most `limit` tasks by `run`, which returns a statement's rows.

    Returns the seconds until the next one is due: 0 when there may be more, None for none. Tasks
    that wait for a result that there is now end with it.
    """
    ((seconds, is_answer_first),) = run(sql.STAGE, {"limit": limit, "answered": False})
    if is_answer_first:
        _answer_waiting(run, limit)
        ((seconds, _),) = run(sql.STAGE, {"limit": limit, "answered": True})
    return None if seconds is None else float(seconds)


def _answer_waiting(run: Run, limit: int) -> None:
    while True:
        rows = run(sql.ANSWER_WAITING, {"limit": limit})
        for task_id, kind, queue, attempt, status in rows:
            emit("answer", task_id=task_id, kind=kind, queue=queue, attempt=attempt, status=status)
        if len(rows) < limit:
            return
