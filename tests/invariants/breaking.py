"""Rows that break an invariant, each written by hand as nothing in the system writes them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from django.utils import timezone

from tasks import lifecycle, sql
from tasks.lifecycle.ending import completed
from tasks.lifecycle.preparation import prepare
from tasks.models import Batch, Dependency, Limit, Line, NotedEnd, Outcome, Status, Task
from tests.factories import ERROR, make_attempt, make_task, make_worker
from tests.lifecycle.claiming import claim, finish
from tests.limits.rules import make_limit
from tests.queue_rows import execute

URL = "https://example.com/hook"


def _ended(**fields: object) -> Task:
    return make_task(Status.COMPLETED, **fields)


def waiting_without_job() -> str:
    task = make_task()
    execute("DELETE FROM procrastinate_jobs WHERE id = %s", [task.job_id])
    return str(task.id)


def job_of_a_deleted_task() -> str:
    task = make_task()
    execute("DELETE FROM tasks_task WHERE id = %s", [task.id])
    return str(task.job_id)


def second_job() -> str:
    task = make_task()
    ((copy,),) = execute(
        "INSERT INTO procrastinate_jobs (queue_name, task_name, args)"
        " SELECT queue_name, task_name, args FROM procrastinate_jobs WHERE id = %s RETURNING id",
        [task.job_id],
    )
    return str(copy)


def job_left_by_an_ended_task() -> str:
    task = make_task()
    Task.objects.filter(pk=task.pk).update(
        status=Status.CANCELLED, job_id=None, finished_at=timezone.now()
    )
    return str(task.job_id)


def job_with(change: str) -> Callable[[], str]:
    def break_it() -> str:
        task = make_task()
        execute(f"UPDATE procrastinate_jobs SET {change} WHERE id = %s", [task.job_id])
        return str(task.id)

    return break_it


def job_of_another_task() -> str:
    first, second = make_task(), make_task()
    execute("DELETE FROM procrastinate_jobs WHERE id = %s", [second.job_id])
    Task.objects.filter(pk=second.pk).update(job_id=first.job_id)
    return str(second.id)


def _running(**fields: object) -> Task:
    claimed = timezone.now() - dt.timedelta(minutes=10)
    return make_task(Status.PROCESSING, started_at=claimed, **fields)


def running_for_a_worker_that_is_silent() -> str:
    return str(_running(worker_id=make_worker(silent_for=600)).id)


def running_for_a_worker_without_a_row() -> str:
    worker_id = make_worker()
    execute("DELETE FROM tasks_worker WHERE id = %s", [worker_id])
    return str(_running(worker_id=worker_id).id)


def running_for_a_worker_that_was_given_up() -> str:
    worker_id = make_worker()
    execute("UPDATE tasks_worker SET state = 'lost' WHERE id = %s", [worker_id])
    return str(_running(worker_id=worker_id).id)


def attempt_without_a_row() -> str:
    task = make_task(Status.FAILED)
    task.attempts.all().delete()
    return str(task.id)


def attempt_of_the_claim_that_completed() -> str:
    task = _ended(attempt=2, claim_number=2)
    make_attempt(task, Outcome.FAILED)
    return str(task.id)


def loss_without_a_row() -> str:
    return str(_ended(losses=1).id)


def attempt_of_a_later_claim() -> str:
    task = _ended(attempt=2, claim_number=2)
    make_attempt(task, Outcome.FAILED, claim_number=3)
    return str(task.id)


def too_many_attempts() -> str:
    task = make_task(Status.FAILED)
    Task.objects.filter(pk=task.pk).update(max_attempts=4, attempt=5, claim_number=5)
    for number in (2, 3, 4, 5):
        make_attempt(task, claim_number=number)
    return str(task.id)


def too_many_losses() -> str:
    task = make_task(Status.FAILED, losses=11, claim_number=12)
    for number in range(1, 12):
        make_attempt(task, Outcome.LOST, claim_number=number)
    return str(task.id)


def completed_without_a_result() -> str:
    task = _ended()
    execute("UPDATE tasks_task SET result = NULL WHERE id = %s", [task.id])
    return str(task.id)


def failed_without_an_error() -> str:
    task = make_task(Status.FAILED)
    execute("UPDATE tasks_task SET error = NULL WHERE id = %s", [task.id])
    return str(task.id)


def completed_with_an_error() -> str:
    return str(_ended(error=ERROR).id)


def waiting_with_a_result() -> str:
    return str(make_task(result={"done": True}).id)


def ended_without_its_callback() -> str:
    return str(_ended(callback_url=URL).id)


def doubled_callback() -> str:
    ended = _ended(callback_url=URL)
    input = {"task_id": str(ended.id), "status": "COMPLETED", "ended_at": "2026-11-28T10:00:00Z"}
    callbacks = [
        make_task(kind="callback.deliver", queue="callbacks", input=input) for _ in range(2)
    ]
    return min(str(callback.id) for callback in callbacks)


def batch_with_one_task_too_many() -> str:
    batch = lifecycle.submit_many([lifecycle.prepare("test.script") for _ in range(2)])
    make_task(batch=batch)
    return str(batch.id)


def task_of_an_account_that_is_gone() -> str:
    task = make_task()
    _without_foreign_keys("UPDATE tasks_task SET owner_id = 424242 WHERE id = %s", task)
    return str(task.id)


def task_of_a_batch_that_is_gone() -> str:
    task = make_task()
    _without_foreign_keys("UPDATE tasks_task SET batch_id = id WHERE id = %s", task)
    return str(task.id)


def _without_foreign_keys(statement: str, task: Task) -> None:
    execute("SET session_replication_role = replica")
    execute(statement, [task.id])
    execute("RESET session_replication_role")


def sequence_of_jobs_behind() -> str:
    # Its task runs, so the job has no row.
    task = _running_now()
    execute("SELECT setval('procrastinate_jobs_id_seq', %s)", [task.job_id - 1])
    return "public.procrastinate_jobs_id_seq"


def sequence_of_attempts_behind() -> str:
    attempt = make_attempt(make_task(Status.COMPLETED, attempt=2, claim_number=2), claim_number=1)
    execute("SELECT setval('tasks_attempt_id_seq', greatest(%s - 1, 1), %s > 1)", [attempt.pk] * 2)
    return "public.tasks_attempt_id_seq"


def _running_now() -> Task:
    make_task()
    return make_task(Status.PROCESSING)


# By the name of the invariant.
def _limited(concurrent: int = 1) -> tuple[str, Task]:
    """Write a limit and a task that can be claimed under it; return its key and the task."""
    limit = make_limit(concurrent=concurrent)
    task = lifecycle.submit("test.script")
    execute(sql.STAGE, {"limit": 100, "answered": True})
    return str(limit.pk), task


def permit_too_many() -> str:
    key, _ = _limited()
    running = make_task(Status.PROCESSING, limit_keys=[key])
    _permit(key, running)
    return key


def _permit(key: str, task: Task) -> None:
    execute(
        "INSERT INTO tasks_permit (key, task_id, is_rated, created_at)"
        " VALUES (%s, %s, false, clock_timestamp()) RETURNING id",
        [key, task.id],
    )


def running_without_a_permit() -> str:
    limit = make_limit(concurrent=1)
    return str(make_task(Status.PROCESSING, limit_keys=[str(limit.pk)]).id)


def claimable_without_a_permit() -> str:
    _, task = _limited()
    execute("DELETE FROM tasks_permit WHERE task_id = %s RETURNING id", [task.id])
    return str(task.id)


def permit_of_an_ended_task() -> str:
    limit = make_limit(concurrent=5)
    task = make_task(Status.COMPLETED, limit_keys=[str(limit.pk)])
    _permit(str(limit.pk), task)
    return str(task.id)


def _blocked_line() -> Line:
    _limited()
    lifecycle.submit("test.script")
    execute(sql.STAGE, {"limit": 100, "answered": True})
    return Line.objects.get()


def line_that_is_not_looked_at() -> str:
    line = _blocked_line()
    Limit.objects.update(concurrent=2)
    return f"line {line.pk} served {line.served}"


def job_of_a_line_that_is_gone() -> str:
    line = _blocked_line()
    ((job,),) = execute("SELECT id FROM procrastinate_jobs WHERE tasks_line = %s", [line.pk])
    line.delete()
    return f"job {job}"


def batch_whose_end_was_not_noted() -> str:
    batch = _followed()
    lifecycle.cancel_batch(batch)
    NotedEnd.objects.all().delete()
    return f"batch {batch.pk}"


def task_that_waits_for_nothing() -> str:
    batch = _followed()
    Dependency.objects.update(met=True)
    return f"task {batch.then_id}"


def task_that_waits_for_one_that_has_completed() -> str:
    options = {"queue": "own"}
    nodes = {
        "a": lifecycle.Node(kind="test.sum", options=options),
        "b": lifecycle.Node(kind="test.sum", after=["a"], options=options),
    }
    batch = lifecycle.submit_workflow(nodes)
    assert batch.nodes
    [held] = claim(make_worker(), queues=["own"])
    finish(completed(held, {}))
    NotedEnd.objects.all().delete()
    return f"task {batch.nodes['b']}"


def _followed() -> Batch:
    new = [prepare("test.script")]
    return lifecycle.submit_many(new, following=lifecycle.Following(then=prepare("test.sum")))


BREAKERS: list[tuple[str, Callable[[], str]]] = [
    ("waiting_without_job", waiting_without_job),
    ("job_without_task", job_of_a_deleted_task),
    ("job_without_task", second_job),
    ("job_without_task", job_left_by_an_ended_task),
    ("job_differs", job_with("queue_name = 'other'")),
    ("job_differs", job_with("priority = 7")),
    ("job_differs", job_with("task_name = 'task:test.sum'")),
    ("job_differs", job_with("attempts = 1")),
    ("job_differs", job_with("status = 'doing'")),
    ("job_differs", job_with("scheduled_at = now() + interval '1 day'")),
    ("job_differs", job_of_another_task),
    ("running_without_worker", running_for_a_worker_that_is_silent),
    ("running_without_worker", running_for_a_worker_without_a_row),
    ("running_without_worker", running_for_a_worker_that_was_given_up),
    ("history_differs", attempt_without_a_row),
    ("history_differs", attempt_of_the_claim_that_completed),
    ("history_differs", loss_without_a_row),
    ("history_differs", attempt_of_a_later_claim),
    ("too_many_attempts", too_many_attempts),
    ("too_many_attempts", too_many_losses),
    ("result_differs", completed_without_a_result),
    ("result_differs", failed_without_an_error),
    ("result_differs", completed_with_an_error),
    ("result_differs", waiting_with_a_result),
    ("callback_missing", ended_without_its_callback),
    ("callback_doubled", doubled_callback),
    ("batch_too_large", batch_with_one_task_too_many),
    ("reference_missing", task_of_an_account_that_is_gone),
    ("reference_missing", task_of_a_batch_that_is_gone),
    ("job_differs", job_with("tasks_line = 0")),
    ("limit_exceeded", permit_too_many),
    ("permit_differs", running_without_a_permit),
    ("permit_differs", claimable_without_a_permit),
    ("permit_differs", permit_of_an_ended_task),
    ("line_forgotten", line_that_is_not_looked_at),
    ("line_forgotten", job_of_a_line_that_is_gone),
    ("end_forgotten", batch_whose_end_was_not_noted),
    ("end_forgotten", task_that_waits_for_nothing),
    ("end_forgotten", task_that_waits_for_one_that_has_completed),
    ("sequence_behind", sequence_of_jobs_behind),
    ("sequence_behind", sequence_of_attempts_behind),
]
