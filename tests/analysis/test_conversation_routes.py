from __future__ import annotations

import datetime as dt
import json
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from pytest_django import Settings
from rest_framework.test import APIClient

from analysis.models import Conversation, Message
from tasks.models import Status, Task
from tests.api.described import described, fields, is_conflict, post
from tests.factories import make_task, make_worker
from tests.fakes import openrouter
from tests.fakes import platform_events as events

MESSAGE = "/conversations/message"
INTERACTION = "/conversations/webhook-interaction"
EXAMPLE = {"conversation_id": "conv_123", "message": "I need help with this product"}
REPLY = {"conversation_id": "conv_123", "ai_response": "I'd be happy to help you."}
GENERIC = {"id": "e1", "conversation_id": "c-42", "message": "Hello"}
FACEBOOK = events.facebook("Hello", sender="7", id="m_1")


def status_of(api: APIClient, task_id: Any) -> dict[str, Any]:
    document: dict[str, Any] = described(api.get(f"/conversations/tasks/{task_id}/status"))
    return document


@pytest.mark.django_db
@pytest.mark.parametrize("slash", ["", "/"])
def test_a_message_is_accepted_in_the_documented_shape(api: APIClient, slash: str) -> None:
    response = post(api, MESSAGE + slash, {**EXAMPLE, "async_processing": True})
    task = Task.objects.get()
    assert response.status_code == 202
    assert response["Location"] == f"/conversations/tasks/{task.id}/status"
    assert response.json() == {
        "conversation_id": "pending",
        "response": "Message received and being processed",
        "status": "processing",
        "task_id": str(task.id),
    }
    assert (task.kind, task.queue, task.priority) == ("conversation.message", "conversations", 10)
    assert task.input == EXAMPLE


@pytest.mark.django_db
@pytest.mark.parametrize("slash", ["", "/"])
def test_an_interaction_is_taken_in_for_later_unless_told_otherwise(
    api: APIClient, slash: str
) -> None:
    response = post(api, INTERACTION + slash, {"platform": "facebook", "payload": FACEBOOK})
    task = Task.objects.get()
    assert response.status_code == 202
    assert response.json()["status"] == "processing"
    assert (task.kind, task.queue, task.priority) == ("webhook.facebook", "webhooks", 5)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        (MESSAGE, {}, "message"),
        (MESSAGE, {"message": " "}, "message"),
        (MESSAGE, {"message": 1}, "message"),
        (MESSAGE, {"message": "a", "conversation_id": ""}, "conversation_id"),
        (MESSAGE, {"message": "a", "conversation_id": {}}, "conversation_id"),
        (MESSAGE, {"message": "a", "async_processing": "yes"}, "async_processing"),
        (MESSAGE, {"message": "a", "more": 1}, "more"),
        (MESSAGE, [], ""),
        (INTERACTION, {"platform": "myspace", "payload": {}}, "platform"),
        (INTERACTION, {"platform": "generic"}, "payload"),
        (INTERACTION, {"platform": "generic", "payload": {}}, "payload"),
        (INTERACTION, {"platform": "google", "payload": {"message": "x"}}, "payload"),
    ],
)
def test_what_is_wrong_is_named_as_it_was_sent(
    api: APIClient, path: str, body: Any, field: str
) -> None:
    assert list(fields(post(api, path, body))) == [field]
    assert not Task.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("path", [MESSAGE, INTERACTION])
def test_bodies_are_checked_as_on_every_other_route(api: APIClient, path: str) -> None:
    broken = api.post(path, "{", content_type="application/json")
    assert (broken.status_code, broken["Content-Type"]) == (400, "application/problem+json")
    large = api.post(path, b" " * (10 * 2**20 + 1), content_type="application/json")
    assert large.status_code == 413
    assert api.get(path).status_code == 405


@pytest.mark.django_db
def test_without_a_key_nothing_is_said_where_keys_are_needed(
    api: APIClient, settings: Settings
) -> None:
    settings.API_ALLOW_ANONYMOUS = False
    task = make_task(kind="conversation.message")
    for response in (
        post(api, MESSAGE, EXAMPLE),
        post(api, INTERACTION, {"platform": "generic", "payload": GENERIC}),
        api.get(f"/conversations/tasks/{task.pk}/status"),
        api.get("/conversations/tasks/queues/status"),
        api.get("/conversations/tasks/active"),
        post(api, f"/conversations/tasks/{task.pk}/cancel"),
    ):
        assert response.status_code == 401


@pytest.mark.django_db
def test_the_word_for_a_conversation_that_is_not_known_yet_names_none(api: APIClient) -> None:
    post(api, MESSAGE, {"conversation_id": "pending", "message": "a", "async_processing": True})
    assert Task.objects.get().input["conversation_id"] is None


@pytest.mark.django_db
def test_a_repeated_request_finds_its_task(api: APIClient) -> None:
    body = json.dumps({**EXAMPLE, "async_processing": True})
    first, second = (
        api.post(MESSAGE, body, content_type="application/json", headers={"Idempotency-Key": "k"})
        for _ in range(2)
    )
    assert (first.status_code, second.status_code) == (202, 200)
    assert first.json() == described(second)


@pytest.mark.django_db
def test_without_a_worker_nobody_waits(api: APIClient) -> None:
    began = time.monotonic()
    response = post(api, MESSAGE, EXAMPLE)
    assert (response.status_code, described(response)["status"]) == (202, "processing")
    assert time.monotonic() - began < 5


@pytest.mark.django_db
def test_a_reply_that_takes_too_long_comes_later(api: APIClient, settings: Settings) -> None:
    settings.CONVERSATION_SYNC_SECONDS = 0.2
    make_worker()
    response = post(api, MESSAGE, EXAMPLE)
    assert (response.status_code, described(response)["conversation_id"]) == (202, "pending")


@pytest.mark.django_db(transaction=True)
def test_a_reply_is_made_while_the_request_waits(api: APIClient, worker: Any) -> None:
    worker(queues=["conversations", "webhooks"])
    response = post(api, MESSAGE, {**EXAMPLE, "async_processing": False})
    document = described(response)
    assert response.status_code == 200
    assert document["conversation_id"] == "conv_123"
    assert document["response"].startswith("I'd be happy to help you with that product")
    assert document["status"] == "completed"
    assert status_of(api, document["task_id"]) == {
        "task_id": document["task_id"],
        "status": "SUCCESS",
        "progress": 100,
        "result": {"conversation_id": "conv_123", "ai_response": document["response"]},
    }
    # The same, for what a platform sent: through both of its tasks.
    given = {"platform": "generic", "payload": GENERIC, "async_processing": False}
    first, again = (described(post(api, INTERACTION, given)) for _ in range(2))
    assert (first["status"], first["response"]) == ("completed", "Hello! What can I do for you?")
    own_id = str(Conversation.objects.get(platform="generic").pk)
    assert first["conversation_id"] == own_id
    assert again["response"] == first["response"]
    assert again["task_id"] != first["task_id"]
    assert Message.objects.count() == 4
    own = status_of(api, first["task_id"])
    assert own["result"] == {
        "conversation_id": first["conversation_id"], "ai_response": first["response"],
    }  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_a_reply_that_fails_says_so_and_is_no_fault_of_the_servers(
    api: APIClient, worker: Any, provider: openrouter.Fake
) -> None:
    provider.behaviour = "403"
    worker(**provider.environment())
    response = post(api, MESSAGE, EXAMPLE)
    document = described(response)
    assert (response.status_code, document["status"]) == (200, "failed")
    assert document["response"] == (
        "The provider of the language model does not allow this text or this model."
    )
    assert status_of(api, document["task_id"])["status"] == "FAILURE"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, ("PENDING", 0, None)),
        ({"status": "PROCESSING", "progress": 40}, ("STARTED", 40, None)),
        ({"attempt": 1}, ("RETRY", 0, None)),
        ({"status": "COMPLETED", "result": {**REPLY, "provider": "x"}}, ("SUCCESS", 100, REPLY)),
        ({"status": "FAILED", "progress": 40}, ("FAILURE", 40, None)),
        ({"status": "CANCELLED"}, ("REVOKED", 0, None)),
    ],
)
def test_the_status_is_told_in_the_documented_words(
    api: APIClient, fields: dict[str, Any], told: Any
) -> None:
    task = make_task(**{"kind": "conversation.message", **fields})
    status, progress, result = told
    assert status_of(api, task.pk) == {
        "task_id": str(task.pk), "status": status, "progress": progress, "result": result,
    }  # fmt: skip


@pytest.mark.django_db
def test_an_event_is_as_far_as_the_task_that_answers_it(api: APIClient, user: User) -> None:
    answer = make_task(kind="conversation.interaction")
    result = {"platform": "generic", "events": 1, "duplicates": 0, "tasks": [str(answer.pk)]}
    event = make_task(Status.COMPLETED, kind="webhook.generic", result=result)
    assert (status_of(api, event.pk)["status"], status_of(api, event.pk)["result"]) == (
        "STARTED", None,
    )  # fmt: skip
    Task.objects.filter(pk=answer.pk).update(owner=user)
    assert status_of(api, event.pk)["result"] == result


@pytest.mark.django_db
def test_only_tasks_of_the_three_queues_that_one_sees_have_a_status_here(
    api: APIClient, user: User, stranger: User, api_for: Callable[[User], APIClient]
) -> None:
    other = make_task(kind="text.analyze")
    hidden = make_task(kind="conversation.message", owner=user)
    for id in (other.pk, hidden.pk, uuid.uuid4()):
        assert api.get(f"/conversations/tasks/{id}/status").status_code == 404
        assert post(api, f"/conversations/tasks/{id}/cancel").status_code == 404
    assert api.get("/conversations/tasks/async_task_456/status").status_code == 404
    path = f"/conversations/tasks/{hidden.pk}/status"
    assert api_for(stranger).get(path).status_code == 404
    assert api_for(user).get(path).status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize("slash", ["", "/"])
def test_the_three_queues_are_counted(api: APIClient, slash: str, user: User) -> None:
    make_task(queue="conversations", owner=user)
    make_task(queue="webhooks", scheduled_at=timezone.now() + dt.timedelta(hours=1))
    make_task("PROCESSING", queue="webhooks")
    make_task("COMPLETED", queue="analytics")
    make_task(queue="default")
    document = api.get(f"/conversations/tasks/queues/status{slash}").json()
    assert document["queues"] == {
        "conversations": {"active": 0, "pending": 1},
        "webhooks": {"active": 1, "pending": 1},
        "analytics": {"active": 0, "pending": 0},
    }
    assert dt.datetime.fromisoformat(document["timestamp"]).tzinfo
    described(api.get("/conversations/tasks/queues/status"))


@pytest.mark.django_db
def test_the_running_tasks_that_one_sees_are_listed(
    api: APIClient, user: User, operator: User, api_for: Callable[[User], APIClient]
) -> None:
    mine = make_task("PROCESSING", kind="conversation.message", queue="conversations", owner=user)
    make_task("PROCESSING", kind="webhook.generic", queue="webhooks", progress=30)
    make_task("PROCESSING", queue="default")
    make_task(queue="conversations")
    document = described(api_for(user).get("/conversations/tasks/active"))
    assert document["total"] == 1
    assert document["active_tasks"][0] | {"started_at": ""} == {
        "task_id": str(mine.pk),
        "kind": "conversation.message",
        "queue": "conversations",
        "status": "STARTED",
        "progress": 0,
        "started_at": "",
    }
    assert described(api.get("/conversations/tasks/active"))["active_tasks"][0]["progress"] == 30
    assert described(api_for(operator).get("/conversations/tasks/active"))["total"] == 2


@pytest.mark.django_db
def test_tasks_are_cancelled_at_once_or_asked_to_stop(api: APIClient) -> None:
    waiting = make_task(kind="conversation.message")
    running = make_task("PROCESSING", kind="webhook.generic")
    ended = make_task("COMPLETED", kind="conversation.message")

    def cancel(task: Task) -> Any:
        return post(api, f"/conversations/tasks/{task.pk}/cancel")

    assert (cancel(waiting).status_code, is_conflict(cancel(waiting), "CANCELLED")) == (200, True)
    asked = cancel(running)
    assert (asked.status_code, described(asked)["status"]) == (202, "STARTED")
    assert is_conflict(cancel(ended), "COMPLETED")
    again = make_task(kind="conversation.message")
    told = described(post(api, f"/conversations/tasks/{again.pk}/cancel"))
    assert told == {"task_id": str(again.pk), "status": "REVOKED", "message": "Task cancelled"}
