"""Submission of batches: all tasks or none, but for unique ones that exist already."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from django.contrib.auth.models import User
from django.db import OperationalError, connection, transaction
from django.db.models import F

from tasks import sql, tracing
from tasks.errors import BatchClosed, UniqueConflict
from tasks.lifecycle.enqueue import (
    TRIES,
    answer,
    emit_replaced,
    insert,
    lost_every_try,
    unless_reused,
)
from tasks.lifecycle.settling import NOT_STARTED, note_closed
from tasks.lifecycle.telemetry import emit_submitted
from tasks.lifecycle.verbs import cancel_many, retry_many
from tasks.models import Batch, Dependency, Status, Task
from tasks.models.batch import OnFailure
from tasks.models.task import CANCELLABLE, RETRYABLE, TaskQuerySet
from tasks.postgres.failures import sqlstate
from tasks.submission import Owned, Submission, checked_options

# How long a batch with unique tasks waits for others; half of PostgreSQL's `deadlock_timeout`.
PATIENCE = "500ms"
# Members that are cancelled or retried in one transaction.
CHUNK = 1_000
# Lock not available, deadlock detected.
_LOCKED = ("55P03", "40P01")


@dataclass(frozen=True, kw_only=True)
class Following:
    """What a batch is called, and what follows its end."""

    name: str = ""
    # Starts after the end; not if a member failed and `on_failure` is stop, or it was cancelled.
    then: Submission | None = None
    callback_url: str = ""
    on_failure: str = OnFailure.CONTINUE
    # Members may be added until it is closed.
    is_open: bool = False

    @property
    def is_awaited(self) -> bool:
        """Return whether the end of the batch must be noted."""
        stops = self.on_failure == OnFailure.STOP
        return self.then is not None or bool(self.callback_url) or stops or self.is_open


def submit_many(
    submissions: Sequence[Submission],
    *,
    owner: User | None = None,
    idempotency_key: str | None = None,
    following: Following | None = None,
) -> Batch:
    """Queue all submissions as one batch, or none.

    A unique task that exists stays outside the batch: its id is among `submitted_ids`, and `total`
    does not count it. Keys of batches are apart from those of tasks. Raises UniqueConflict where a
    unique task is refused; InvalidInput for a key that is not valid;
    KeyReused for one that belongs to another batch, or to one with another order of tasks;
    SerializationFailure as `submit` does.
    """
    if tracing.recorder is None:
        return _submit_many(submissions, owner, idempotency_key, following or Following())
    with tracing.recorder.submitting("batch") as span:
        traced = [replace(new, cause=span.cause) for new in submissions]
        batch = _submit_many(traced, owner, idempotency_key, following or Following())
        span.set({"batch.id": str(batch.id), "batch.total": batch.total})
        return batch


def _submit_many(
    submissions: Sequence[Submission],
    owner: User | None,
    idempotency_key: str | None,
    following: Following,
) -> Batch:
    batch = Batch(
        owner=owner,
        total=len(submissions),
        name=following.name,
        is_awaited=following.is_awaited,
        is_open=following.is_open,
        on_failure=following.on_failure,
        callback_url=following.callback_url,
        then_id=following.then.id if following.then else None,
    )
    if batch.is_awaited:
        submissions = [replace(new, is_awaited=True) for new in submissions]
    if idempotency_key is not None:
        batch.idempotency_key = idempotency_key
        batch.fingerprint = _fingerprint_of_all(submissions, idempotency_key, following)
        batch.submitted_ids = [new.id for new in submissions]
    # A caller's transaction cannot be repeated here.
    is_own = connection.get_autocommit()
    for _ in range(TRIES):
        try:
            if _insert_batch(batch, submissions, following.then, is_own=is_own):
                return batch
        except OperationalError as error:
            if not is_own or sqlstate(error) not in _LOCKED:
                raise
            continue
        keyed = Batch.objects.filter(owner=owner, idempotency_key=idempotency_key)
        # None when it was deleted since, which frees the key: submit again.
        if earlier := unless_reused(keyed.first(), batch.fingerprint):
            return earlier
    raise lost_every_try()


def _insert_batch(
    batch: Batch, submissions: Sequence[Submission], then: Submission | None, *, is_own: bool
) -> bool:
    """Write a batch and its tasks; return False, with nothing written, for a repeated request.

    Unique tasks that it replaces are locked while it waits for others, in an order that differs
    from a claim's. In a transaction of its own (`is_own`) it gives up before PostgreSQL ends either
    as a deadlock; the caller tries again.
    """
    with transaction.atomic():
        if is_own and any(new.unique for new in submissions):
            sql.run("SELECT set_config('lock_timeout', %(patience)s, true)", {"patience": PATIENCE})
        # Waits for the end of a transaction that writes a batch with the same key.
        Batch.objects.bulk_create([batch], ignore_conflicts=batch.idempotency_key is not None)
        if batch.idempotency_key and not Batch.objects.filter(pk=batch.pk).exists():
            return False
        new = [Owned(submission, batch.owner_id) for submission in submissions]
        _insert_tasks(batch, new)
        if batch.total < len(new):
            kept = ["submitted_ids"] if batch.idempotency_key else []
            batch.save(update_fields=["total", *kept])
        if then:
            _insert_then(batch, then)
        if batch.is_awaited and not batch.is_open and not batch.total:
            note_closed(batch.id)
    return True


def _insert_then(batch: Batch, then: Submission) -> None:
    """Write the task that starts after the end of a batch; it is no member."""
    # A unique task might exist already, or be replaced by another request.
    insert([Owned(replace(then, waits=True, unique=None), batch.owner_id)])
    Dependency.objects.create(
        batch=batch,
        task_id=then.id,
        on_id=batch.id,
        needs_success=batch.on_failure == OnFailure.STOP,
    )
    transaction.on_commit(partial(emit_submitted, then))


def add_members(batch: Batch, submissions: Sequence[Submission]) -> list[uuid.UUID]:
    """Add tasks to an open batch, all or none; return their ids. Raises BatchClosed."""
    with transaction.atomic():
        locked = Batch.objects.select_for_update().filter(pk=batch.pk, is_open=True).first()
        if locked is None or _has_stopped(locked):
            raise BatchClosed
        added = Batch(pk=batch.pk, total=len(submissions))
        members = (replace(new, is_awaited=True) for new in submissions)
        _insert_tasks(added, [Owned(member, batch.owner_id) for member in members])
        Batch.objects.filter(pk=batch.pk).update(total=F("total") + added.total)
    return added.submitted_ids or []


def _has_stopped(batch: Batch) -> bool:
    """Return whether a member has failed of a batch that stops then."""
    failed = Task.objects.filter(batch=batch, status=Status.FAILED)
    return batch.on_failure == OnFailure.STOP and failed.exists()


def close_batch(batch: Batch) -> None:
    """Let an open batch end when its members have ended; one that is closed stays as it is."""
    with transaction.atomic():
        if Batch.objects.filter(pk=batch.pk, is_open=True).update(is_open=False):
            note_closed(batch.pk)


def cancel_batch(batch: Batch) -> int:
    """Cancel the members that have not ended, and close the batch; return how many.

    Nothing follows it then, unless it is retried.
    """
    with transaction.atomic():
        Batch.objects.filter(pk=batch.pk).update(is_cancelled=True, is_open=False)
        if batch.is_awaited and batch.ended_at is None:
            note_closed(batch.pk)
    return _in_chunks(
        Task.objects.filter(batch=batch, status__in=CANCELLABLE, cancel_requested=False),
        cancel_many,
    )


def retry_batch(batch: Batch) -> int:
    """Queue the failed and cancelled members again; return how many.

    A node of a workflow that never began because another failed is started by that one's success.
    """
    Batch.objects.filter(pk=batch.pk).update(is_cancelled=False)
    undone = Task.objects.filter(batch=batch, status__in=RETRYABLE)
    return _in_chunks(undone.exclude(status=Status.CANCELLED, error__type=NOT_STARTED), retry_many)


def _in_chunks(members: TaskQuerySet, verb: Callable[[Sequence[uuid.UUID]], int]) -> int:
    """Call a verb for these tasks in groups, each in a transaction of its own; return how many."""
    ids = list(members.values_list("pk", flat=True))
    return sum(verb(ids[start : start + CHUNK]) for start in range(0, len(ids), CHUNK))


def _insert_tasks(batch: Batch, new: Sequence[Owned]) -> None:
    """Write the tasks of a batch, and set its total; one that exists already stays outside."""
    elsewhere: dict[uuid.UUID, uuid.UUID] = {}
    left, submitted = list(new), 0
    for _ in range(TRIES):
        answered = answer(left, batch_id=batch.id)
        submitted += len(answered)
        left = [owned for owned in left if owned.submission.id not in answered]
        written = insert(left, batch_id=batch.id)
        submitted += len(written.submitted)
        for row in {row[0]: row for row in written.replaced.values()}.values():
            emit_replaced(row)
        elsewhere |= {new_id: row[0] for new_id, row in written.replaced.items()}
        for owned in left:
            if owned.submission.id in written.submitted:
                transaction.on_commit(partial(emit_submitted, owned.submission))
        done = written.submitted.keys() | elsewhere.keys()
        left = [owned for owned in left if owned.submission.id not in done]
        elsewhere |= (existing := _existing_of(left, new))
        left = [owned for owned in left if owned.submission.id not in existing]
        if not left:
            break
    else:
        raise lost_every_try()
    batch.submitted_ids = [elsewhere.get(owned.submission.id, owned.submission.id) for owned in new]
    batch.total = submitted


def _existing_of(left: Sequence[Owned], new: Sequence[Owned]) -> dict[uuid.UUID, uuid.UUID]:
    """Return the unique tasks that exist in the place of some of a batch's submissions.

    Raises UniqueConflict where that is a refusal.
    """
    keys = {
        owned.submission.id: owned.unique_key for owned in left if owned.on_conflict != "replace"
    }
    held = Task.objects.filter(unique_key__in=set(keys.values()))
    ids = dict(held.values_list("unique_key", "id")) if keys else {}
    places = {owned.submission.id: place for place, owned in enumerate(new)}
    for owned in left:
        if owned.on_conflict == "refuse" and (task_id := ids.get(owned.unique_key)):
            place = places[owned.submission.id]
            raise UniqueConflict(task_id, place=place, twin=places.get(task_id))
    return {new_id: ids[key] for new_id, key in keys.items() if key in ids}


def _fingerprint_of_all(submissions: Sequence[Submission], key: str, following: Following) -> str:
    """Return a digest of all tasks in their order; raise InvalidInput for an invalid key."""
    checked = checked_options({"idempotency_key": key})
    keyed = (replace(new, **checked) for new in submissions)
    text = "".join(new.fingerprint() for new in keyed)
    if following != Following():
        then = following.then and replace(following.then, **checked).fingerprint()
        text += repr(replace(following, then=None)) + (then or "")
    return hashlib.sha256(text.encode()).hexdigest()
