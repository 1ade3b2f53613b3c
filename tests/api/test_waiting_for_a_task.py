"""`Prefer: wait=N`: the response is sent when the task has ended."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from rest_framework.test import APIClient

from tasks import lifecycle, long_poll
from tasks.api.prefer_header import seconds_to_wait
from tasks.models import Status, Task
from tests.api.described import described
from tests.factories import make_task
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def get_with_prefer(api: APIClient, task: Task, prefer: str) -> Any:
    return api.get(f"/api/v1/tasks/{task.id}", headers={"Prefer": prefer})


class WaitingRequest(threading.Thread):
    """A request that waits in its own thread."""

    def __init__(self, task: Task, prefer: str = "wait=30") -> None:
        super().__init__(daemon=True)
        self.task, self.prefer, self.response = task, prefer, None
        self.start()
        wait_until(lambda: task.id in long_poll._waiting, what="a request that waits")

    def run(self) -> None:
        self.response = get_with_prefer(APIClient(), self.task, self.prefer)
        connection.close()

    def result(self) -> Any:
        self.join(timeout=20)
        assert not self.is_alive()
        return self.response


def no_polling_thread() -> bool:
    return not any(thread.name == "waiting" for thread in threading.enumerate())


def test_the_response_is_sent_when_the_task_ends() -> None:
    task = make_task()
    request = WaitingRequest(task)
    lifecycle.cancel(task)
    response = request.result()
    assert described(response)["status"] == Status.CANCELLED
    assert response["Preference-Applied"] == "wait=30"
    wait_until(no_polling_thread, what="the polling thread ends")


def test_a_task_that_has_ended_is_returned_at_once(api: APIClient) -> None:
    response = get_with_prefer(api, make_task(Status.COMPLETED), "wait=30")
    assert response["Preference-Applied"] == "wait=30"


def test_after_the_wait_a_task_is_returned_in_its_current_status(api: APIClient) -> None:
    began = time.monotonic()
    response = get_with_prefer(api, make_task(), "respond-async, wait=1")
    assert 1 <= time.monotonic() - began < 10
    assert (response.json()["status"], response["Preference-Applied"]) == ("PENDING", "wait=1")


def test_all_waiting_requests_share_one_polling_thread() -> None:
    tasks = [make_task() for _ in range(3)]
    requests = [WaitingRequest(task) for task in (*tasks, tasks[0])]
    assert sum(thread.name == "waiting" for thread in threading.enumerate()) == 1
    lifecycle.cancel(tasks[0])
    first, *_, last = requests
    assert {request.result().json()["status"] for request in (first, last)} == {Status.CANCELLED}
    for task in tasks[1:]:
        lifecycle.cancel(task)
    assert {request.result().json()["status"] for request in requests} == {Status.CANCELLED}


def test_a_task_that_is_deleted_during_the_wait_is_not_found() -> None:
    task = make_task()
    request = WaitingRequest(task)
    lifecycle.delete(task)
    assert request.result().status_code == 404


def test_a_request_beyond_the_limit_of_waiting_ones_is_answered_at_once(api: APIClient) -> None:
    with ExitStack() as stack:
        for _ in range(long_poll.PLACES):
            stack.enter_context(long_poll._places)
        response = get_with_prefer(api, make_task(), "wait=30")
    assert response.status_code == 200
    assert "Preference-Applied" not in response


def test_a_caller_that_may_not_see_the_task_does_not_wait(
    user: User, stranger: User, api_for: Callable[[User], APIClient]
) -> None:
    response = get_with_prefer(api_for(stranger), make_task(owner=user), "wait=30")
    assert response.status_code == 404


def test_an_unchanged_task_is_a_304_after_the_wait(api: APIClient) -> None:
    task = make_task()
    etag = api.get(f"/api/v1/tasks/{task.id}")["ETag"]
    headers = {"Prefer": "wait=1", "If-None-Match": etag}
    response = api.get(f"/api/v1/tasks/{task.id}", headers=headers)
    assert (response.status_code, response["Preference-Applied"]) == (304, "wait=1")


def test_a_waiting_request_survives_a_database_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_poll, "AWAY_SECONDS", 0.05)
    task = make_task()
    request = WaitingRequest(task)
    terminate = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    with connection.cursor() as cursor:
        cursor.execute(
            f"{terminate} WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND usename = current_user"
        )
    lifecycle.cancel(task)
    assert request.result().json()["status"] == Status.CANCELLED


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        ("wait=10", 10),
        ("wait=600", 30),
        ("wait=0", 0),
        ('Wait = "7"', 7),
        ("respond-async, wait=10; foo=bar", 10),
        ("wait=1, wait=9", 1),
        ("wait", None),
        ("wait=-1", None),
        ("wait=1.5", None),
        ("await=3", None),
        ("", None),
    ],
)
def test_the_seconds_are_read_from_the_prefer_header(prefer: str, seconds: int | None) -> None:
    assert seconds_to_wait(prefer) == seconds
