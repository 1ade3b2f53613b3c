"""Staging: scheduled tasks that are due, and blocked ones that may start, can be claimed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, LiteralString, NamedTuple

from tasks import sql
from tasks.lifecycle.telemetry import emit

STAGE_LIMIT = 1_000

Run = Callable[[LiteralString, dict[str, Any]], list[Any]]


class Staged(NamedTuple):
    """What is left to do: `due_in` is 0 when more may be due, None when nothing is scheduled."""

    # Seconds until the next task is due.
    due_in: float | None
    # Whether `settle` has something to do.
    has_ends: bool


def stage(run: Run, *, limit: int = STAGE_LIMIT) -> Staged:
    """Stage at most `limit` tasks by `run`, which returns a statement's rows.

    Tasks that wait for a result that there is now end with it.
    """
    ((due_in, is_answer_first, has_ends),) = run(sql.STAGE, {"limit": limit, "answered": False})
    if is_answer_first:
        _answer_waiting(run, limit)
        ((due_in, _, has_ends),) = run(sql.STAGE, {"limit": limit, "answered": True})
    return Staged(None if due_in is None else float(due_in), has_ends)


def _answer_waiting(run: Run, limit: int) -> None:
    while True:
        rows = run(sql.ANSWER_WAITING, {"limit": limit})
        for task_id, kind, queue, attempt, status in rows:
            emit("answer", task_id=task_id, kind=kind, queue=queue, attempt=attempt, status=status)
        if len(rows) < limit:
            return
