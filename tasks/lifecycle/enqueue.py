"""Submission of tasks: one task, a batch, or the follow-ups of attempts."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, LiteralString, TypeVar, Unpack

import orjson
from django.contrib.auth.models import User
from django.db import connection, transaction
from psycopg.errors import SerializationFailure

from tasks import sql, tracing
from tasks.errors import KeyReused, UniqueConflict
from tasks.lifecycle.group_commit import GroupCommit
from tasks.lifecycle.preparation import prepare, submit_params
from tasks.lifecycle.telemetry import emit, emit_submitted
from tasks.lifecycle.writing import Written, write
from tasks.models import Batch, Task
from tasks.postgres.failures import is_outage
from tasks.submission import Options, Owned, Submission

Row = TypeVar("Row", Task, Batch)

# Statements with at most so many submissions share one plan.
FEW = 100
# How often a request with an idempotency key is tried while others delete what it repeats.
TRIES = 20


def submit(
    kind: str,
    input: dict[str, Any] | None = None,
    *,
    owner: User | None = None,
    **options: Unpack[Options],
) -> Task:
    """Queue one task if and only if the surrounding transaction commits.

    Returns the task that exists if the request repeats an earlier one, by its idempotency key or
    because the task is unique. Raises UnknownKind; InvalidInput for an input or an option that is
    not valid; KeyReused for an idempotency key that belongs to another request; UniqueConflict
    where a unique task is refused; SerializationFailure if every try found the key taken by a task
    that was deleted or ended at once.
    """
    submission = prepare(kind, input, **options)
    if tracing.recorder is None:
        return _submit(submission, input=input, owner=owner)
    with tracing.recorder.submitting(submission.kind) as span:
        task = _submit(replace(submission, cause=span.cause), input=input, owner=owner)
        span.set({"task.id": str(task.id), "task.queue": task.queue})
        return task


def _submit(submission: Submission, *, input: dict[str, Any] | None, owner: User | None) -> Task:
    new = Owned(submission, owner.pk if owner else None)
    for _ in range(TRIES):
        if answer([new]):
            return Task.objects.get(pk=submission.id)
        written = _enqueue_one(new)
        if row := written.submitted.get(submission.id):
            return _new_task(submission, row, input=input, owner=owner)
        if row := written.replaced.get(submission.id):
            return _replaced(submission, row, input=input, owner=owner)
        # None when it was deleted since, which frees the key, or has ended: submit again.
        if task := _replayed(submission, owner) or _existing(new):
            return task
    raise lost_every_try()


# The columns that the statements return of a task, besides its id.
_STORED = (
    "job_id", "created_at", "scheduled_at", "expires_at", "unique_key", "unique_while",
    "unique_until",
)  # fmt: skip


def _new_task(
    submission: Submission, row: sql.Row, *, input: dict[str, Any] | None, owner: User | None
) -> Task:
    task_id, *stored, _ = row
    values = dict(zip(_STORED, stored, strict=True))
    return _task(submission, input, owner, id=task_id, **values)


def _replaced(
    submission: Submission, row: sql.Row, *, input: dict[str, Any] | None, owner: User | None
) -> Task:
    """Return the task that took over the request, as it was then."""
    emit_replaced(row)
    values = dict(zip(_STORED, row[8:-1], strict=True))
    task = _task(submission, input, owner, id=row[0], batch_id=row[7], **values)
    task.unique_conflict = "replaced"
    return task


def _task(
    submission: Submission, input: dict[str, Any] | None, owner: User | None, **values: Any
) -> Task:
    return Task(
        owner=owner,
        kind=submission.kind,
        queue=submission.queue,
        priority=submission.priority,
        input={} if input is None else input,
        metadata=orjson.loads(submission.metadata),
        callback_url=submission.callback_url,
        request_id=submission.cause.request_id,
        traceparent=submission.cause.traceparent,
        max_attempts=submission.max_attempts,
        **values,
    )


def emit_replaced(row: sql.Row) -> None:
    task_id, kind, queue, attempt, status, *_ = row
    facts = {"task_id": task_id, "kind": kind, "queue": queue}
    transaction.on_commit(partial(emit, "replace", attempt=attempt, status=status, **facts))


def _replayed(submission: Submission, owner: User | None) -> Task | None:
    """Return the task of the earlier request that had the same idempotency key, if it exists."""
    if submission.idempotency_key is None:
        return None
    keyed = Task.objects.filter(owner=owner, idempotency_key=submission.idempotency_key)
    return unless_reused(keyed.first(), submission.fingerprint())


def _existing(new: Owned) -> Task | None:
    """Return the unique task that exists already; raise UniqueConflict if that is a refusal.

    None for a request that replaces: it is tried again, until it has.
    """
    if new.unique_key is None or new.on_conflict == "replace":
        return None
    task = Task.objects.filter(unique_key=new.unique_key).first()
    if task and new.on_conflict == "refuse":
        raise UniqueConflict(task.id)
    if task:
        task.unique_conflict = "existing"
    return task


def lost_every_try() -> SerializationFailure:
    """Return PostgreSQL's error for a conflict that passes; over HTTP its answer is a 503."""
    return SerializationFailure("others change the rows of this key again and again")


def unless_reused(earlier: Row | None, fingerprint: str) -> Row | None:
    """Return the row of an earlier request; raise KeyReused if that request was another."""
    if earlier is None:
        return None
    if earlier.fingerprint != fingerprint:
        raise KeyReused
    earlier.replayed = True
    return earlier


def _enqueue_one(new: Owned) -> Written:
    """Queue one task, unless the request is a repeated one or the task exists."""
    if not new.submission.may_repeat and connection.get_autocommit():
        row = _submit_in_group(new)
        written = Written(submitted={row[0]: row})
    else:
        # The caller commits, or this waits for a request with the same key, alone: no group waits.
        written = insert([new])
    if written.submitted:
        # Runs in the request's thread, so that the log line has the request's id.
        transaction.on_commit(partial(emit_submitted, new.submission))
    return written


def answer(new: Sequence[Owned], *, batch_id: uuid.UUID | None = None) -> set[uuid.UUID]:
    """Complete the tasks whose result is stored already; return which they are."""
    cached = {owned.submission.id: owned for owned in new if owned.submission.may_be_answered}
    if not cached:
        return set()
    rows = sql.run(sql.ANSWER, submit_params(cached.values(), batch_id=batch_id))
    for task_id, kind, queue, attempt, status in rows:
        transaction.on_commit(partial(emit_submitted, cached[task_id].submission))
        facts = {"task_id": task_id, "kind": kind, "queue": queue}
        transaction.on_commit(partial(emit, "answer", attempt=attempt, status=status, **facts))
    return {row[0] for row in rows}


def insert(new: Sequence[Owned], *, batch_id: uuid.UUID | None = None) -> Written:
    """Write tasks and their jobs in the caller's transaction, or in one for each statement."""

    def run(statement: LiteralString, params: dict[str, Any]) -> list[sql.Row]:
        # Planning costs as much as one task, so it is done once; a batch is planned for its size.
        return sql.run(statement, params, prepared=len(new) <= FEW)

    written = write(new, run, batch_id=batch_id, commits_at_once=connection.get_autocommit())
    if left := written.left_jobs:
        # Robust: the tasks are committed, and the reconciler deletes what this leaves.
        transaction.on_commit(partial(discard, left), robust=True)
    return written


def discard(jobs: Sequence[int]) -> None:
    """Delete jobs that no task names any more."""
    with connection.cursor() as cursor:
        cursor.execute(sql.DISCARD, {"jobs": list(jobs)})


def _insert_group(new: Sequence[Owned]) -> list[sql.Row]:
    rows = insert(new).submitted
    return [rows[owned.submission.id] for owned in new]


def _is_refusal(error: BaseException) -> bool:
    """Return whether one submission may be at fault; an outage concerns all of them."""
    return isinstance(error, Exception) and not is_outage(error)


# Concurrent submissions of several threads share a statement and a commit.
_submit_in_group = GroupCommit(_insert_group, is_refusal=_is_refusal)
