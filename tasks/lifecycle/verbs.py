"""Lifecycle verbs, in the order of a task's life. Nothing else writes a status.

Each runs one statement of `tasks/sql/`, where the header names the transition and its guard, and
joins the caller's transaction. Each emits one event for every task that changes its status; pruning
and resetting, which only delete, emit none.
"""

from __future__ import annotations

import datetime as dt
import logging
import sys
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, LiteralString

import orjson
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, OuterRef
from django.db.models.functions import Now

from tasks import sql
from tasks.errors import TaskGone, WrongStatus
from tasks.kinds.exceptions import LostClaim
from tasks.lifecycle.ending import Ending, follow_ups, note_submitted, parameters
from tasks.lifecycle.enqueue import discard, insert
from tasks.lifecycle.telemetry import emit, emit_ended, emit_leases_lost
from tasks.models import Status, Task, Worker
from tasks.models.task import TaskQuerySet

log = logging.getLogger(__name__)

RESCUE_LIMIT = 1_000
EXPIRE_LIMIT = 1_000
RECONCILE_LIMIT = 10_000
# Tasks that `move_matching` moves in one transaction.
MATCHING_CHUNK = 1_000
# More than bad luck explains; a task that kills its process fails long before, in isolation.
LOSSES_LIMIT = 10
# One rescuer at a time is enough; a transaction-level lock also works behind PgBouncer.
RESCUE_LOCK = 0x7461736B
# Long enough for an operator to see in the console that a worker died.
FORGET_WORKERS_AFTER = dt.timedelta(minutes=10)


def finish(ending: Ending, *, worker: str) -> None:
    """End one attempt in the caller's transaction; raise LostClaim when the claim is gone.

    For transactional handlers; the worker ends other attempts in groups.
    """
    rows = sql.run(sql.FINISH, parameters([ending], worker=worker))
    if not rows:
        raise LostClaim
    if new := follow_ups([ending]):
        note_submitted([ending], insert(new).submitted)
    transaction.on_commit(partial(emit_ended, [ending], worker=worker))


def cancel(task: Task) -> Task:
    """Cancel a waiting task at once, or request a running one to stop.

    Raises WrongStatus if it has ended and, like every verb on one task, TaskGone when it was
    deleted meanwhile.
    """
    return _move(task, cancel_many, "cancelled")


def cancel_many(ids: Sequence[uuid.UUID]) -> int:
    """Cancel the tasks that have not ended; return how many."""
    return _drop("cancel", sql.CANCEL, {"ids": list(ids)})


def retry(task: Task) -> Task:
    """Queue a failed or cancelled task again; raise WrongStatus otherwise."""
    return _move(task, retry_many, "retried")


def retry_many(ids: Sequence[uuid.UUID]) -> int:
    """Queue failed and cancelled tasks again; return how many."""
    return len(_apply("retry", sql.RETRY, {"ids": list(ids)}))


def delete(task: Task) -> None:
    """Delete a task and its history; raise WrongStatus while it is being processed.

    A task that has already been deleted is no error.
    """
    if delete_many([task.pk]):
        return
    if status := Task.objects.filter(pk=task.pk).values_list("status", flat=True).first():
        raise WrongStatus(status, "deleted")


def delete_many(ids: Sequence[uuid.UUID]) -> int:
    """Delete the tasks that are not being processed; return how many."""
    return _drop("delete", sql.DELETE, {"ids": list(ids)})


def move_matching(
    tasks: TaskQuerySet, verb: Callable[[Sequence[uuid.UUID]], int], *, limit: int = sys.maxsize
) -> tuple[int, bool]:
    """Move the ended tasks that match; return how many, and whether the limit left others.

    `verb` (`retry_many`, `delete_many`) gets the ids of one chunk, locked while they still match,
    in a transaction of their own, and must move all of them. Those that ended longest ago come
    first. Tasks that end after the start, by the database's clock, are left: so a kind that fails
    again at once is retried once. Rows that another transaction holds are left too.
    """
    ended = tasks.filter(finished_at__lte=sql.database_now()).order_by("finished_at", "id")
    locked = ended.select_for_update(of=("self",), skip_locked=True).values_list("id", flat=True)
    moved = 0
    while moved < limit:
        size = min(MATCHING_CHUNK, limit - moved)
        with transaction.atomic():
            in_chunk = verb(list(locked[:size]))
        moved += in_chunk
        if in_chunk < size:
            return moved, False
    return moved, ended.exists()


def rescue(missed_renewal: Sequence[int] = (), *, clock_is_steady: bool = True) -> int:
    """Queue the tasks of dead workers again, in transactions of RESCUE_LIMIT; return how many.

    `missed_renewal` are the workers that the caller saw miss a renewal by the monotonic clock. They
    decide when the database's clock cannot be trusted, because it was set (not `clock_is_steady`).
    One rescuer works at a time: the others return 0 at once.
    """
    params = {
        "lease": settings.LEASE_SECONDS,
        "missed_renewal": list(missed_renewal),
        "clock_is_steady": clock_is_steady,
        "max_losses": LOSSES_LIMIT,
        "limit": RESCUE_LIMIT,
    }
    rescued = 0
    while True:
        in_batch = _rescue_batch(params)
        rescued += in_batch
        if in_batch < RESCUE_LIMIT:
            return rescued


def _rescue_batch(params: dict[str, Any]) -> int:
    with transaction.atomic():
        if not sql.run("SELECT pg_try_advisory_xact_lock(%(lock)s)", {"lock": RESCUE_LOCK})[0][0]:
            return 0
        rows = sql.run(sql.RESCUE, params)
        if leases_lost := rows[0][-1]:
            transaction.on_commit(partial(emit_leases_lost, leases_lost))
        # Without a task to rescue there is one row, of nulls and the number of leases.
        rescued = [row for row in rows if row[0]]
        _emit_moved("rescue", rescued)
        return len(rescued)


def reconcile() -> tuple[int, int]:
    """Enqueue waiting tasks without a job, delete jobs without a task; return both counts.

    Of each at most RECONCILE_LIMIT: the caller goes on soon if there may be more.
    """
    ((enqueued, gone),) = sql.run(sql.RECONCILE, {"limit": RECONCILE_LIMIT})
    if enqueued or gone:
        log.warning(
            "repaired tasks without a job and deleted jobs without a task",
            extra={"enqueued": enqueued, "gone": gone},
        )
    return enqueued, gone


def skip_many(rows: Sequence[dict[str, Any]]) -> int:
    """End tasks that waited for others, each with `id`, `status` and `error`; return how many."""
    return _drop("skip", sql.SKIP, {"new": orjson.dumps(rows).decode()})


def expire() -> int:
    """Cancel the tasks that no worker took in time, in groups of EXPIRE_LIMIT; return how many."""
    expired = 0
    while True:
        in_group = _drop("expire", sql.EXPIRE, {"limit": EXPIRE_LIMIT})
        expired += in_group
        if in_group < EXPIRE_LIMIT:
            return expired


def forget_workers() -> None:
    """Delete the rows of workers that have been dead for long and hold no task."""
    dead_since = Now() - FORGET_WORKERS_AFTER
    holding = Task.objects.filter(status=Status.PROCESSING, worker_id=OuterRef("pk"))
    dead = Worker.objects.filter(~Exists(holding), heartbeat_at__lt=dead_since)
    if workers := list(dead.values_list("pk", flat=True)):
        with connection.cursor() as cursor:
            cursor.execute(sql.DEREGISTER, {"workers": workers})


def reset() -> None:
    """Delete all tasks, attempts, batches, jobs, queue switches, circuits and cached counts."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql.RESET)
    log.warning("reset: all tasks and batches were deleted; paused queues were resumed")


def pause_queue(name: str, *, by: str = "", reason: str = "") -> None:
    """Claim nothing more from a queue; its running tasks go on."""
    sql.run(sql.PAUSE, {"queue": name, "by": by, "reason": reason})


def resume_queue(name: str) -> None:
    """Claim from a queue again, at once."""
    sql.run(sql.RESUME, {"queue": name})


def _move(task: Task, verb: Callable[[Sequence[uuid.UUID]], int], participle: str) -> Task:
    # Read before the commit: the caller gets what the verb wrote, not what a worker did next.
    with transaction.atomic():
        moved = verb([task.pk])
        try:
            task.refresh_from_db()
        except Task.DoesNotExist:
            raise TaskGone from None
    if not moved:
        raise WrongStatus(task.status, participle)
    return task


def _drop(transition: str, statement: LiteralString, params: dict[str, Any]) -> int:
    """Run a statement that returns, as sixth column, a job that it could not delete, if any."""
    rows = _apply(transition, statement, params)
    if left := [row[5] for row in rows if row[5]]:
        # Robust: the verb has committed, and the reconciler deletes what this leaves.
        transaction.on_commit(partial(discard, left), robust=True)
    return len(rows)


def _apply(transition: str, statement: LiteralString, params: dict[str, Any]) -> list[sql.Row]:
    """Run a statement that returns (id, kind, queue, attempt, status, …) of each task it moved."""
    rows = sql.run(statement, params)
    _emit_moved(transition, rows)
    return rows


def _emit_moved(transition: str, rows: Sequence[sql.Row]) -> None:
    for task_id, kind, queue, attempt, status, *_ in rows:
        facts = {"task_id": task_id, "kind": kind, "queue": queue}
        transaction.on_commit(partial(emit, transition, attempt=attempt, status=status, **facts))
