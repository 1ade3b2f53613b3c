"""Submission of tasks: one task, a batch, or the follow-ups of attempts."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from functools import partial
from typing import Any, Unpack

import orjson
from django.contrib.auth.models import User
from django.db import connection, transaction

from tasks import sql
from tasks.errors import KeyReused
from tasks.lifecycle.group_commit import GroupCommit
from tasks.lifecycle.preparation import prepare, submit_params
from tasks.lifecycle.telemetry import emit_submitted
from tasks.models import Batch, Task
from tasks.postgres.failures import is_outage
from tasks.submission import Options, Owned, Submission

# Statements with at most so many submissions share one plan.
FEW = 100


def submit(
    kind: str,
    input: dict[str, Any] | None = None,
    *,
    owner: User | None = None,
    **options: Unpack[Options],
) -> Task:
    """Queue one task if and only if the surrounding transaction commits.

    Raises UnknownKind; InvalidInput for an input or an option that is not valid; KeyReused for an
    idempotency key that belongs to another request.
    """
    submission = prepare(kind, input, **options)
    row = _enqueue_one(submission, owner_id=owner.pk if owner else None)
    if row is None:
        return _replayed(submission, owner)
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
        max_attempts=submission.max_attempts,
        job_id=job_id,
        created_at=created_at,
        scheduled_at=due,
    )


def _replayed(submission: Submission, owner: User | None) -> Task:
    """Return the task of the earlier request that had the same idempotency key."""
    task = Task.objects.get(owner=owner, idempotency_key=submission.idempotency_key)
    if task.fingerprint != submission.fingerprint():
        raise KeyReused
    task.replayed = True
    return task


def submit_many(submissions: Sequence[Submission], *, owner: User | None = None) -> Batch:
    """Queue all submissions as one batch, or none."""
    with transaction.atomic():
        batch = Batch.objects.create(owner=owner, total=len(submissions))
        owner_id = owner.pk if owner else None
        insert([Owned(new, owner_id) for new in submissions], batch_id=batch.id)
        for new in submissions:
            transaction.on_commit(partial(emit_submitted, new))
    return batch


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
    return sql.run(sql.SUBMIT, params, prepared=len(new) <= FEW)


def _insert_group(new: Sequence[Owned]) -> list[sql.Row]:
    rows = {row[0]: row for row in insert(new)}
    return [rows[owned.submission.id] for owned in new]


def _is_refusal(error: BaseException) -> bool:
    """Return whether one submission may be at fault; an outage concerns all of them."""
    return isinstance(error, Exception) and not is_outage(error)


# Concurrent submissions of several threads share a statement and a commit.
_submit_in_group = GroupCommit(_insert_group, is_refusal=_is_refusal)
