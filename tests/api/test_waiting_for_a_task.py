"""`Prefer: wait=N` on a task: the answer comes when it has ended."""

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


def ask(api: APIClient, task: Task, prefer: str) -> Any:
    return api.get(f"/api/v1/tasks/{task.id}", headers={"Prefer": prefer})


class Asking(threading.Thread):
    """A request that waits beside the test."""

    def __init__(self, task: Task, prefer: str = "wait=30") -> None:
        super().__init__(daemon=True)
        self.task, self.prefer, self.answer = task, prefer, None
        self.start()
        wait_until(lambda: task.id in long_poll._waiting, what="a request that waits")

    def run(self) -> None:
        self.answer = ask(APIClient(), self.task, self.prefer)
        connection.close()

    def done(self) -> Any:
        self.join(timeout=20)
        assert not self.is_alive()
        return self.answer


def nobody_looks() -> bool:
    return not any(thread.name == "waiting" for thread in threading.enumerate())


def test_the_answer_comes_with_the_end() -> None:
    task = make_task()
    asking = Asking(task)
    lifecycle.cancel(task)
    answer = asking.done()
    assert described(answer)["status"] == Status.CANCELLED
    assert answer["Preference-Applied"] == "wait=30"
    wait_until(nobody_looks, what="the thread that looks to go")


def test_a_task_that_ended_is_answered_at_once(api: APIClient) -> None:
    answer = ask(api, make_task(Status.COMPLETED), "wait=30")
    assert answer["Preference-Applied"] == "wait=30"


def test_after_the_time_it_is_answered_as_it_is(api: APIClient) -> None:
    began = time.monotonic()
    answer = ask(api, make_task(), "respond-async, wait=1")
    assert 1 <= time.monotonic() - began < 10
    assert (answer.json()["status"], answer["Preference-Applied"]) == ("PENDING", "wait=1")


def test_many_wait_with_one_thread_that_looks() -> None:
    tasks = [make_task() for _ in range(3)]
    all_asking = [Asking(task) for task in (*tasks, tasks[0])]
    assert sum(thread.name == "waiting" for thread in threading.enumerate()) == 1
    lifecycle.cancel(tasks[0])
    first, *_, last = all_asking
    assert {one.done().json()["status"] for one in (first, last)} == {Status.CANCELLED}
    for task in tasks[1:]:
        lifecycle.cancel(task)
    assert {one.done().json()["status"] for one in all_asking} == {Status.CANCELLED}


def test_a_task_that_is_deleted_meanwhile_is_not_found() -> None:
    task = make_task()
    asking = Asking(task)
    lifecycle.delete(task)
    assert asking.done().status_code == 404


def test_where_too_many_wait_the_next_is_answered_at_once(api: APIClient) -> None:
    with ExitStack() as stack:
        for _ in range(long_poll.PLACES):
            stack.enter_context(long_poll._places)
        answer = ask(api, make_task(), "wait=30")
    assert answer.status_code == 200
    assert "Preference-Applied" not in answer


def test_whoever_may_not_see_it_does_not_wait(
    user: User, stranger: User, api_for: Callable[[User], APIClient]
) -> None:
    assert ask(api_for(stranger), make_task(owner=user), "wait=30").status_code == 404


def test_what_is_known_is_said_to_be_the_same_after_the_wait(api: APIClient) -> None:
    task = make_task()
    known = api.get(f"/api/v1/tasks/{task.id}")["ETag"]
    headers = {"Prefer": "wait=1", "If-None-Match": known}
    answer = api.get(f"/api/v1/tasks/{task.id}", headers=headers)
    assert (answer.status_code, answer["Preference-Applied"]) == (304, "wait=1")


def test_an_outage_of_the_database_is_sat_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_poll, "AWAY_SECONDS", 0.05)
    task = make_task()
    asking = Asking(task)
    ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    with connection.cursor() as cursor:
        cursor.execute(f"{ended} WHERE datname = current_database() AND pid <> pg_backend_pid()")
    lifecycle.cancel(task)
    assert asking.done().json()["status"] == Status.CANCELLED


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
def test_the_header_is_read_as_it_is_meant(prefer: str, seconds: int | None) -> None:
    assert seconds_to_wait(prefer) == seconds
