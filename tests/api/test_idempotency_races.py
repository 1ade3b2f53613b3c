"""Repeated requests beside deletions of what they repeat, in both orders."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from rest_framework.test import APIClient

from tasks import lifecycle
from tasks.lifecycle import enqueue
from tasks.models import Batch, Schedule, Status, Task
from tests.queue_rows import has_waiting_session
from tests.threads import in_threads
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

TASKS, BATCH = "/api/v1/tasks/", "/api/v1/tasks/batch/"
TASK = {"kind": "test.script"}
BODIES = {TASKS: TASK, BATCH: [TASK, TASK], "/v1/tasks": {"text": "to be"}}


def submit(client: APIClient, path: str, body: Any) -> Any:
    return client.post(path, body, format="json", headers={"Idempotency-Key": f"k{path}"})


def elsewhere(work: Callable[[], object]) -> Any:
    """Run a function with a connection of its own; raise what it raises."""
    [result] = in_threads(1, work)
    if isinstance(result, Exception):
        raise result
    return result


def delete_all() -> None:
    Task.objects.all().delete()
    Batch.objects.all().delete()


@contextmanager
def around_inserts(before: Callable[[], object], after: Callable[[], object]) -> Iterator[None]:
    """Run functions before and after each statement that inserts a keyed task or batch."""

    def run(execute: Callable[..., Any], statement: Any, *arguments: Any) -> Any:
        is_insert = 'INSERT INTO "tasks_batch"' in statement or statement.startswith("-- submit")
        if is_insert:
            before()
        result = execute(statement, *arguments)
        if is_insert:
            after()
        return result

    with connection.execute_wrapper(run):
        yield


@pytest.mark.parametrize("path", BODIES)
def test_what_is_deleted_after_the_conflict_is_submitted_again(api: APIClient, path: str) -> None:
    body = BODIES[path]
    first = submit(api, path, body)
    deletions = iter([lambda: elsewhere(delete_all)])
    with around_inserts(lambda: None, lambda: next(deletions, lambda: None)()):
        second = submit(api, path, body)
    assert (first.status_code, second.status_code) == (202, 202)
    assert second.json() != first.json()


@pytest.mark.parametrize("path", BODIES)
def test_a_request_waits_for_the_deletion_of_what_it_repeats(api: APIClient, path: str) -> None:
    body = BODIES[path]
    first = submit(api, path, body).json()
    is_deleted, is_awaited = threading.Event(), threading.Event()

    def delete_and_commit_when_awaited() -> None:
        with transaction.atomic():
            delete_all()
            is_deleted.set()
            assert is_awaited.wait(10)

    def repeat() -> Any:
        assert is_deleted.wait(10)
        return submit(APIClient(), path, body)

    def watch() -> None:
        wait_until(has_waiting_session, within=10, what="the repeated request waits")
        is_awaited.set()

    works = iter([delete_and_commit_when_awaited, repeat, watch])
    [answer] = [result for result in in_threads(3, lambda: next(works)()) if result]
    assert answer.status_code == 202
    assert answer.json() != first


def test_a_run_of_a_schedule_beside_the_deletion_of_its_task(
    api_for: Callable[[User], APIClient], operator: User
) -> None:
    ops = api_for(operator)
    nightly = {"name": "Nightly", "kind": "test.script", "cron": "0 3 * * *"}
    run = ops.post("/api/v1/schedules/", nightly, format="json").json()["links"]["run"]
    first = submit(ops, run, {}).json()["task_id"]
    deletions = iter([lambda: elsewhere(delete_all)])
    with around_inserts(lambda: None, lambda: next(deletions, lambda: None)()):
        second = submit(ops, run, {})
    assert second.status_code == 202
    assert second.json()["task_id"] != first
    assert str(Schedule.objects.get().last_task_id) == second.json()["task_id"]


@pytest.mark.parametrize("path", BODIES)
def test_a_request_that_loses_every_try_is_refused_for_now(api: APIClient, path: str) -> None:
    tries = []

    def create() -> None:
        tries.append(1)
        elsewhere(lambda: submit(APIClient(), path, BODIES[path]))

    with around_inserts(create, lambda: elsewhere(delete_all)):
        response = submit(api, path, BODIES[path])
    assert (response.status_code, response["Retry-After"]) == (503, "5")
    assert len(tries) == enqueue.TRIES
    assert not Task.objects.exists()


def test_repeated_requests_beside_deletions_and_retention(settings: Any) -> None:
    settings.RETENTION_COMPLETED_DAYS = 0

    def submit_and_delete() -> set[int]:
        client, answers = APIClient(), set()
        for _ in range(20):
            response = submit(client, TASKS, TASK)
            answers.add(response.status_code)
            answers.add(client.delete(f"{TASKS}{response.json()['task_id']}").status_code)
        return answers

    def submit_and_prune() -> set[int]:
        client, answers = APIClient(), set()
        for _ in range(20):
            answers |= {submit(client, path, body).status_code for path, body in BODIES.items()}
            # What a worker's finish leaves behind, and the retention that deletes it.
            Task.objects.filter(status=Status.PENDING).update(
                status=Status.CANCELLED, job_id=None, finished_at="2020-01-01T00:00:00Z"
            )
            lifecycle.prune()
        return answers

    works = iter([submit_and_delete] * 6 + [submit_and_prune] * 4)
    for answers in in_threads(10, lambda: next(works)()):
        # Another thread may have deleted the task first, or ended it.
        assert answers <= {200, 202, 204, 404}
