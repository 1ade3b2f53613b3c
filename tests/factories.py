"""Factories: rows that are consistent with a status, written without the verbs under test."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from django.db import connection
from django.utils import timezone
from uuid_utils.compat import uuid7

from tasks import sql
from tasks.kinds.context import Context
from tasks.lifecycle.preparation import prepare
from tasks.models import Attempt, Outcome, Status, Task
from tasks.models.task import TERMINAL

ERROR = {"type": "ValueError", "title": "Value error", "detail": "requested failure"}


def make_worker(
    name: str = "test:1",
    *,
    silent_for: float = 0.0,
    queues: Sequence[str] = (),
    kinds: Sequence[str] | None = None,
) -> int:
    """Register a worker whose last heartbeat was so many seconds ago; return its id.

    By default it serves every queue, and is of the version before, which did not say its kinds.
    """
    with connection.cursor() as cursor:
        params: dict[str, Any] = {
            "name": name, "host": "test", "pid": 1, "queues": list(queues),
            "kinds": None if kinds is None else list(kinds), "concurrency": 4,
        }  # fmt: skip
        cursor.execute(sql.REGISTER, params)
        worker_id = int(cursor.fetchone()[0])
        cursor.execute(
            "UPDATE tasks_worker SET heartbeat_at = now() - %s * interval '1 second' WHERE id = %s",
            [silent_for, worker_id],
        )
    return worker_id


def make_context(**fields: Any) -> Context:
    """Return a handler's context; by default of the first attempt of a task without an owner."""
    return Context(
        **{
            "task_id": uuid7(), "attempt": 1, "owner_id": None, "soft_time_limit": 60,
            "prepare": prepare, **fields,
        }
    )  # fmt: skip


def make_task(status: Status | str = Status.PENDING, **fields: Any) -> Task:
    """Write a task of this status with its job, its worker and its times."""
    now = timezone.now()
    values = {"kind": "test.script", "input": {"do": "return"}, **fields}
    if status != Status.PENDING:
        values.setdefault("attempt", 1)
        values.setdefault("started_at", now - dt.timedelta(seconds=2))
    values.setdefault("claim_number", values.get("attempt", 0))
    if status in TERMINAL:
        values.setdefault("finished_at", now)
    if status == Status.COMPLETED:
        values.setdefault("result", {"done": True})
        values.setdefault("progress", 100)
    if status == Status.FAILED:
        values.setdefault("error", ERROR)
        values.setdefault("max_attempts", values["attempt"])
    if status == Status.PROCESSING and "worker_id" not in values:
        values["worker_id"] = make_worker()
    task = Task(status=status, **values)
    if status == Status.PENDING:
        task.job_id = _make_job(task)
    elif status == Status.PROCESSING:
        # The claim has deleted it.
        task.job_id = _next_job_id()
    task.save(force_insert=True)
    if status == Status.FAILED:
        make_attempt(task, error={**ERROR, "traceback": "Traceback: requested failure"})
    return task


def make_attempt(task: Task, outcome: str = Outcome.FAILED, **fields: Any) -> Attempt:
    """Write one ended attempt of a task."""
    values = {
        "number": task.attempt,
        "claim_number": task.claim_number,
        "worker": "test:1",
        "started_at": task.started_at,
        "finished_at": task.finished_at or timezone.now(),
        **fields,
    }
    return Attempt.objects.create(task=task, outcome=outcome, **values)


def _make_job(task: Task) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO procrastinate_jobs"
            " (queue_name, task_name, priority, args, scheduled_at, attempts)"
            " VALUES (%s, %s, %s, jsonb_build_object('task_id', %s::text), %s, %s) RETURNING id",
            [
                task.queue,
                f"task:{task.kind}",
                task.priority,
                str(task.id),
                task.scheduled_at,
                task.attempt,
            ],
        )
        return int(cursor.fetchone()[0])


def _next_job_id() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('procrastinate_jobs_id_seq')")
        return int(cursor.fetchone()[0])
