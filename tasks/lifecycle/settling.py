"""Settling: what follows the end of awaited tasks and batches begins.

A trigger notes each end in the statement that writes it. One process at a time takes the notes and,
in the same transaction, starts what waited, skips what can never start, and ends batches. So none
is lost or acted upon twice, whichever process dies when.
"""

from __future__ import annotations

import logging
import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import orjson
from django.db import DatabaseError, transaction
from django.db.models import Count, Q

from tasks import kinds, sql
from tasks.errors import InvalidInput, UnknownKind
from tasks.lifecycle.expansion import GATHER, expand
from tasks.lifecycle.inputs import resolved_input
from tasks.lifecycle.verbs import cancel_many, retry_many, skip_many
from tasks.models import Batch, Dependency, NotedEnd, Status, Task
from tasks.models.batch import OnFailure, outcome_of

log = logging.getLogger(__name__)

# The ends that one transaction takes.
SETTLE_LIMIT = 1_000
# One process at a time, so that two last members do not both, or neither, see the other as ended.
SETTLE_LOCK = 0x7461736E
# Not an end: a task that waited for others was retried.
RETRIED = "retried"
# The type of the error of a task that was skipped because of others.
NOT_STARTED = "DependencyFailed"
# And of one with an input that is not valid with the results that it names.
INVALID = "InvalidInput"
_ANNOUNCE = (
    "SELECT pg_notify('procrastinate_any_queue_v1',"
    """ '{"type": "job_inserted", "job_id": 0, "queues": [], "scheduled": true}')"""
)
_UNENDED = (
    "SELECT id FROM tasks_batch AS batch WHERE id = ANY (%(batches)s::uuid[]) AND is_awaited"
    " AND NOT is_open"
    " AND NOT EXISTS (SELECT FROM tasks_notedend WHERE batch_id = batch.id)"
    " AND NOT EXISTS ("
    "     SELECT FROM tasks_task"
    "     WHERE tasks_task.batch_id = batch.id AND is_awaited AND finished_at IS NULL"
    " )"
)


class End(NamedTuple):
    """The end of a task or a batch."""

    id: uuid.UUID
    status: str


def settle() -> int:
    """Act upon all ends that were noted; return how many. One process at a time does it."""
    settled = 0
    while noted := _settle_some():
        settled += noted
    return settled


def _settle_some() -> int:
    with transaction.atomic():
        # Waits for another: the notes may be newer than what that has seen.
        sql.run("SELECT pg_advisory_xact_lock(%(lock)s)", {"lock": SETTLE_LOCK})
        # In the order of the ends: of a task that was retried, the last one counts.
        notes = sorted(sql.run(sql.NOTED_ENDS, {"limit": SETTLE_LIMIT}))
        if not notes:
            return 0
        ends = [
            End(task_id, status) for _, task_id, _, status in notes if task_id and status != RETRIED
        ]
        batches = {batch_id for _, _, batch_id, _ in notes if batch_id}
        failed = {batch_id for _, _, batch_id, status in notes if status == Status.FAILED}
        _stop(batches, failed=failed)
        _follow(ends)
        _start_retried({task_id for _, task_id, _, status in notes if status == RETRIED})
        # Those that follow a batch wait for that.
        _follow(_end_batches(batches))
        return len(notes)


def _stop(batches: set[uuid.UUID], *, failed: set[uuid.UUID]) -> None:
    """Cancel the other members of batches that stop at a failure, or were cancelled.

    A member that was running when its batch was cancelled may have submitted others since.
    """
    at_failure = Q(pk__in=failed, on_failure=OnFailure.STOP, is_workflow=False)
    stopping = Batch.objects.filter(at_failure | Q(pk__in=batches, is_cancelled=True))
    if ids := list(stopping.values_list("pk", flat=True)):
        left = Task.objects.filter(
            batch__in=ids, is_awaited=True, finished_at=None, cancel_requested=False
        )
        cancel_many(list(left.values_list("pk", flat=True)))


def _end_batches(batches: Iterable[uuid.UUID]) -> list[End]:
    """Note the end of batches without a member that has not ended; return their ends."""
    ending = [batch_id for (batch_id,) in sql.run(_UNENDED, {"batches": list(batches)})]
    if not ending:
        return []
    members = Task.objects.filter(batch__in=ending, is_awaited=True).order_by()
    counted = members.values_list("batch", "status").annotate(number=Count("*"))
    statuses: dict[uuid.UUID, set[str]] = defaultdict(set)
    for batch_id, status, _ in counted:
        statuses[batch_id].add(status)
    cancelled = set(
        Batch.objects.filter(pk__in=ending, is_cancelled=True).values_list("pk", flat=True)
    )
    outcomes = {
        batch_id: Status.CANCELLED if batch_id in cancelled else outcome_of(statuses[batch_id])
        for batch_id in ending
    }
    rows = [{"id": batch_id, "outcome": outcome} for batch_id, outcome in outcomes.items()]
    sql.run(sql.END_BATCHES, {"new": orjson.dumps(rows).decode()})
    # Only after a cancel of the whole nothing follows; one member's is as a failure.
    return [
        End(
            batch_id,
            outcome if batch_id in cancelled or outcome != Status.CANCELLED else Status.FAILED,
        )
        for batch_id, outcome in outcomes.items()
    ]


def _follow(ends: Sequence[End]) -> None:
    """Start the tasks whose last dependency this was; skip those that can never start."""
    by_id = {end.id: end.status for end in ends}
    unmet = Dependency.objects.filter(on_id__in=by_id, met=False)
    met, failed = [], defaultdict[uuid.UUID, list[uuid.UUID]](list)
    for dependency in unmet:
        if _is_met(by_id[dependency.on_id], needs_success=dependency.needs_success):
            met.append(dependency)
        else:
            failed[dependency.task_id].append(dependency.on_id)
    if met:
        _meet(met, but_not=failed.keys())
    if failed:
        _skip_failed(failed)


def _is_met(status: str, *, needs_success: bool) -> bool:
    return status == Status.COMPLETED or (status == Status.FAILED and not needs_success)


def _meet(met: Sequence[Dependency], *, but_not: Iterable[uuid.UUID]) -> None:
    waiting = {dependency.task_id for dependency in met}.difference(but_not)
    others = Dependency.objects.filter(task_id__in=waiting, met=False).exclude(
        pk__in=[dependency.pk for dependency in met]
    )
    _revive(waiting.difference(_failed(others)))
    Dependency.objects.filter(pk__in=[dependency.pk for dependency in met]).update(met=True)
    still = Dependency.objects.filter(task_id__in=waiting, met=False)
    ready = waiting.difference(still.values_list("task_id", flat=True))
    _start(Task.objects.filter(pk__in=ready, status=Status.PENDING).order_by("pk"))


def _start_retried(ids: set[uuid.UUID]) -> None:
    """Start retried tasks whose dependencies are met; skip those that wait for what is gone."""
    unmet = list(Dependency.objects.filter(task_id__in=ids, met=False))
    on_ids = {dependency.on_id for dependency in unmet}
    present = set(Task.objects.filter(pk__in=on_ids).values_list("pk", flat=True))
    present |= set(Batch.objects.filter(pk__in=on_ids).values_list("pk", flat=True))
    gone = defaultdict[uuid.UUID, list[uuid.UUID]](list)
    for dependency in unmet:
        if dependency.on_id not in present:
            gone[dependency.task_id].append(dependency.on_id)
    if gone:
        _skip_failed(gone)
    ready = ids.difference(dependency.task_id for dependency in unmet)
    _start(Task.objects.filter(pk__in=ready, status=Status.PENDING).order_by("pk"))


def _failed(unmet: Iterable[Dependency]) -> set[uuid.UUID]:
    """Return the tasks that wait for one that has ended without success."""
    waiting = defaultdict[uuid.UUID, set[uuid.UUID]](set)
    for dependency in unmet:
        waiting[dependency.on_id].add(dependency.task_id)
    ended = Task.objects.filter(pk__in=waiting, finished_at__isnull=False)
    failed: set[uuid.UUID] = set()
    return failed.union(*(waiting[on_id] for on_id in ended.values_list("pk", flat=True)))


def _revive(ids: Iterable[uuid.UUID]) -> None:
    """Let tasks wait again that were skipped, of which no dependency has failed any more."""
    skipped = Task.objects.filter(
        pk__in=ids, status=Status.CANCELLED, error__type=NOT_STARTED
    ).values_list("pk", flat=True)
    if skipped:
        retry_many(list(skipped))


def _start(tasks: Iterable[Task]) -> None:
    """Make tasks due, with the results that their inputs name."""
    released, refused = [], []
    for task in tasks:
        try:
            document = resolved_input(task)
            if task.kind == GATHER and expand(task, document):
                continue
            released.append(_row(task, document))
        except (InvalidInput, UnknownKind) as error:
            refused.append(_skipped(task.pk, Status.FAILED, INVALID, str(error)))
        except DatabaseError:
            # The transaction has failed, and is repeated.
            raise
        except Exception:
            # It would be met again in each try, and nothing else would start.
            log.exception("could not prepare a task", extra={"task_id": str(task.pk)})
            detail = "Its input could not be completed; see the worker's log."
            refused.append(_skipped(task.pk, Status.FAILED, INVALID, detail))
    if released:
        sql.run(sql.RELEASE, {"new": orjson.dumps(released).decode()})
    if refused:
        skip_many(refused)


def _row(task: Task, document: dict[str, Any] | None) -> dict[str, Any]:
    row: dict[str, Any] = {"id": task.pk, "input": document, "cache_key": task.cache_key}
    cache = kinds.all_kinds()[task.kind].cache if task.kind in kinds.all_kinds() else None
    if cache and document is not None:
        row["cache_key"] = cache.key_of(
            kind=task.kind, owner_id=task.owner_id, input=orjson.dumps(document)
        )
    return row


def _skip_failed(failed: dict[uuid.UUID, list[uuid.UUID]]) -> None:
    on_ids = {on_id for on_ids in failed.values() for on_id in on_ids}
    names = dict(Task.objects.filter(pk__in=on_ids).values_list("pk", "node"))
    rows = []
    for task_id, because in failed.items():
        named = ", ".join(sorted(names.get(on_id) or str(on_id) for on_id in because))
        detail = f"It could not start, because {named} did not complete."
        rows.append(_skipped(task_id, Status.CANCELLED, NOT_STARTED, detail))
    skip_many(rows)


def _skipped(task_id: uuid.UUID, status: Status, type: str, detail: str) -> dict[str, Any]:
    titles = {NOT_STARTED: "A dependency failed", INVALID: "Invalid input"}
    error = {"type": type, "title": titles[type], "detail": detail}
    return {"id": task_id, "status": status, "error": error}


def note_closed(batch_id: uuid.UUID) -> None:
    """Note, in the caller's transaction, that a batch may have ended without an end of a task."""
    NotedEnd.objects.create(batch_id=batch_id, status=Status.COMPLETED)
    sql.run(_ANNOUNCE, {})
