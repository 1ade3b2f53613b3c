"""Callbacks of tasks submitted over HTTP, sent by real workers, also by one that is killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from rest_framework.test import APIClient
from standardwebhooks import Webhook

from tasks.callbacks.signing import secrets_of
from tasks.models import Attempt, Outcome, Status, Task
from tests.api.described import post
from tests.callbacks.receiver import Receiver
from tests.queue_rows import execute
from tests.waiting import wait_until
from tests.workers import WorkerCommand

pytestmark = pytest.mark.django_db(transaction=True)

PRIVATE = {"CALLBACK_ALLOW_PRIVATE": "true"}


def submit(api: APIClient, receiver: Receiver, path: str = "/", **more: Any) -> str:
    body = {"kind": "test.script", "callback_url": receiver.url(path), **more}
    return str(post(api, "/api/v1/tasks/", body).json()["task_id"])


def callback() -> Task:
    return Task.objects.get(kind="callback.deliver")


def has_failed(times: int) -> bool:
    return Attempt.objects.filter(task__kind="callback.deliver").count() == times


def due_now() -> None:
    """Make every waiting job due."""
    execute("UPDATE procrastinate_jobs SET scheduled_at = now() WHERE status = 'todo'")
    execute("NOTIFY procrastinate_any_queue_v1, '{}'")


def test_the_receiver_is_notified_of_each_end_once(
    api: APIClient, receiver: Receiver, run_tasks: Callable[..., None]
) -> None:
    completed = submit(api, receiver, input={"value": 7})
    failed = submit(api, receiver, input={"do": "fatal"})
    run_tasks(**PRIVATE)
    (secret,) = secrets_of(None)
    reported = {}
    for request in receiver.received:
        message = Webhook(secret).verify(request.body, request.headers)
        reported[message["data"]["task_id"]] = message["data"]
    assert len(receiver.received) == 2
    assert (reported[completed]["status"], reported[completed]["result"]) == (
        "COMPLETED",
        {"echo": 7},
    )
    assert (reported[failed]["status"], reported[failed]["error"]["type"]) == (
        "FAILED",
        "FatalError",
    )
    assert set(Task.objects.values_list("status", flat=True)) == {"COMPLETED", "FAILED"}


def test_a_message_that_was_not_accepted_is_sent_again_under_its_id(
    api: APIClient, receiver: Receiver, worker: Callable[..., WorkerCommand]
) -> None:
    receiver.answers = ["500 No", "301 No\nLocation: /200", "429 No\nRetry-After: 1", "200 Yes"]
    submit(api, receiver)
    worker(**PRIVATE)
    for times in (1, 2, 3):
        wait_until(partial(has_failed, times))
        due_now()
    wait_until(lambda: callback().status == Status.COMPLETED)
    assert {request.id for request in receiver.received} == {str(callback().id)}
    assert [request.path for request in receiver.received] == ["/"] * 4


def test_a_receiver_that_answers_410_is_sent_nothing_more(
    api: APIClient, receiver: Receiver, run_tasks: Callable[..., None]
) -> None:
    submit(api, receiver, "/410")
    run_tasks(**PRIVATE)
    assert (callback().status, len(receiver.received)) == (Status.CANCELLED, 1)


def test_a_worker_that_dies_between_sending_and_recording_sends_again_under_the_same_id(
    api: APIClient, receiver: Receiver, worker: Callable[..., WorkerCommand]
) -> None:
    task_id = submit(api, receiver, "/silent")
    dying = worker(**PRIVATE)
    wait_until(lambda: receiver.received)
    for pid in dying.pids():
        os.kill(pid, signal.SIGKILL)
    dying.signal(signal.SIGKILL)
    execute("UPDATE tasks_worker SET heartbeat_at = now() - interval '1 minute'")
    # From now on the receiver answers.
    Task.objects.filter(pk=task_id).update(callback_url=receiver.url("/200"))
    worker(**PRIVATE)
    wait_until(lambda: callback().status == Status.COMPLETED, within=30)
    assert {request.id for request in receiver.received} == {str(callback().id)}
    assert Outcome.LOST in callback().attempts.values_list("outcome", flat=True)


def test_a_receiver_that_does_not_answer_leaves_half_of_the_slots_of_a_worker(
    api: APIClient, receiver: Receiver, worker: Callable[..., WorkerCommand]
) -> None:
    for _ in range(4):
        submit(api, receiver, "/silent")
    worker(concurrency=2, **PRIVATE)
    wait_until(lambda: receiver.received)
    healthy = receiver.url("/200", host="localhost")
    post(api, "/api/v1/tasks/", {"kind": "test.script", "callback_url": healthy})
    wait_until(lambda: "/200" in [request.path for request in receiver.received], within=10)
    assert [request.path for request in receiver.received] == ["/silent", "/200"]
    receiver.ended.set()
