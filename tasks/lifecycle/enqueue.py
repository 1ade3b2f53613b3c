"""Submission of tasks: one task, a batch, or the follow-ups of attempts."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar, Unpack

import orjson
from django.contrib.auth.models import User
from django.db import connection, transaction
from psycopg.errors import SerializationFailure

from tasks import sql, tracing
from tasks.errors import KeyReused
from tasks.lifecycle.group_commit import GroupCommit
from tasks.lifecycle.preparation import prepare, submit_params, submit_statement
from tasks.lifecycle.telemetry import emit_submitted
from tasks.models import Batch, Task
from tasks.postgres.failures import is_outage
from tasks.submission import Options, Owned, Submission, checked_options

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

    Raises UnknownKind; InvalidInput for an input or an option that is not valid; KeyReused for an
    idempotency key that belongs to another request; SerializationFailure if every try found the
    key taken by a task that was deleted at once.
    """
    submission = prepare(kind, input, **options)
    if tracing.recorder is None:
        return _submit(submission, input=input, owner=owner)
    with tracing.recorder.submitting(submission.kind) as span:
        task = _submit(replace(submission, cause=span.cause), input=input, owner=owner)
        span.set({"task.id": str(task.id), "task.queue": task.queue})
        return task


def _submit(submission: Submission, *, input: dict[str, Any] | None, owner: User | None) -> Task:
    for _ in range(TRIES):
        if row := _enqueue_one(submission, owner_id=owner.pk if owner else None):
            return _new_task(submission, row, input=input, owner=owner)
        # None when it was deleted since, which frees the key: submit again.
        if task := _replayed(submission, owner):
            return task
    raise _lost_every_try()


def _new_task(
    submission: Submission, row: sql.Row, *, input: dict[str, Any] | None, owner: User | None
) -> Task:
    _, job_id, created_at, due, *_ = row
    return Task(
        id=submission.id,
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
        job_id=job_id,
        created_at=created_at,
        scheduled_at=due,
    )


def _replayed(submission: Submission, owner: User | None) -> Task | None:
    """Return the task of the earlier request that had the same idempotency key, if it exists."""
    keyed = Task.objects.filter(owner=owner, idempotency_key=submission.idempotency_key)
    return _unless_reused(keyed.first(), submission.fingerprint())


def submit_many(
    submissions: Sequence[Submission],
    *,
    owner: User | None = None,
    idempotency_key: str | None = None,
) -> Batch:
    """Queue all submissions as one batch, or none.

    Keys of batches are apart from those of tasks. Raises InvalidInput for a key that is not valid;
    KeyReused for one that belongs to another batch, or to one with another order of tasks;
    SerializationFailure as `submit` does.
    """
    if tracing.recorder is None:
        return _submit_many(submissions, owner=owner, idempotency_key=idempotency_key)
    with tracing.recorder.submitting("batch") as span:
        traced = [replace(new, cause=span.cause) for new in submissions]
        batch = _submit_many(traced, owner=owner, idempotency_key=idempotency_key)
        span.set({"batch.id": str(batch.id), "batch.total": batch.total})
        return batch


def _submit_many(
    submissions: Sequence[Submission], *, owner: User | None, idempotency_key: str | None
) -> Batch:
    batch = Batch(owner=owner, total=len(submissions))
    if idempotency_key is not None:
        batch.idempotency_key = idempotency_key
        batch.fingerprint = _fingerprint_of_all(submissions, idempotency_key)
        batch.submitted_ids = [new.id for new in submissions]
    for _ in range(TRIES):
        if _insert_batch(batch, submissions):
            return batch
        keyed = Batch.objects.filter(owner=owner, idempotency_key=idempotency_key)
        # None when it was deleted since, which frees the key: submit again.
        if earlier := _unless_reused(keyed.first(), batch.fingerprint):
            return earlier
    raise _lost_every_try()


def _lost_every_try() -> SerializationFailure:
    """Return PostgreSQL's error for a conflict that passes; over HTTP its answer is a 503."""
    return SerializationFailure("the rows of this idempotency key are deleted again and again")


def _insert_batch(batch: Batch, submissions: Sequence[Submission]) -> bool:
    """Write a batch and its tasks; return False, with nothing written, for a repeated request."""
    with transaction.atomic():
        # Waits for the end of a transaction that writes a batch with the same key.
        Batch.objects.bulk_create([batch], ignore_conflicts=batch.idempotency_key is not None)
        if batch.idempotency_key and not Batch.objects.filter(pk=batch.pk).exists():
            return False
        insert([Owned(new, batch.owner_id) for new in submissions], batch_id=batch.id)
        for new in submissions:
            transaction.on_commit(partial(emit_submitted, new))
    return True


def _fingerprint_of_all(submissions: Sequence[Submission], key: str) -> str:
    """Return a digest of all tasks in their order; raise InvalidInput for an invalid key."""
    checked = checked_options({"idempotency_key": key})
    keyed = (replace(new, **checked) for new in submissions)
    return hashlib.sha256("".join(new.fingerprint() for new in keyed).encode()).hexdigest()


def _unless_reused(earlier: Row | None, fingerprint: str) -> Row | None:
    """Return the row of an earlier request; raise KeyReused if that request was another."""
    if earlier is None:
        return None
    if earlier.fingerprint != fingerprint:
        raise KeyReused
    earlier.replayed = True
    return earlier


def _enqueue_one(submission: Submission, *, owner_id: int | None) -> sql.Row | None:
    """Queue one task; return its row, or None for a repeated request."""
    new = Owned(submission, owner_id)
    if submission.idempotency_key is None and connection.get_autocommit():
        rows = [_submit_in_group(new)]
    else:
        # The caller commits, or this waits for a request with the same key, alone: no group waits.
        rows = insert([new])
    if not rows:
        return None
    # Runs in the request's thread, so that the log line has the request's id.
    transaction.on_commit(partial(emit_submitted, submission))
    return rows[0]


def insert(new: Sequence[Owned], *, batch_id: uuid.UUID | None = None) -> list[sql.Row]:
    """Write tasks and their jobs; return their rows, none for a repeated request."""
    params = submit_params(new, batch_id=batch_id, commits_at_once=connection.get_autocommit())
    # Planning costs as much as one task, so it is done once; a batch is planned for its size.
    return sql.run(submit_statement(new), params, prepared=len(new) <= FEW)


def _insert_group(new: Sequence[Owned]) -> list[sql.Row]:
    rows = {row[0]: row for row in insert(new)}
    return [rows[owned.submission.id] for owned in new]


def _is_refusal(error: BaseException) -> bool:
    """Return whether one submission may be at fault; an outage concerns all of them."""
    return isinstance(error, Exception) and not is_outage(error)


# Concurrent submissions of several threads share a statement and a commit.
_submit_in_group = GroupCommit(_insert_group, is_refusal=_is_refusal)
