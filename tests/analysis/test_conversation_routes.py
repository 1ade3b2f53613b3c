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
from tests.fakes import openrouter, platform_events

MESSAGE = "/conversations/message"
INTERACTION = "/conversations/webhook-interaction"
EXAMPLE = {"conversation_id": "conv_123", "message": "I need help with this product"}
REPLY = {"conversation_id": "conv_123", "ai_response": "I'd be happy to help you."}
GENERIC = {"id": "e1", "conversation_id": "c-42", "message": "Hello"}
FACEBOOK = platform_events.facebook("Hello", sender="7", id="m_1")


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
def test_an_interaction_is_answered_later_by_default(api: APIClient, slash: str) -> None:
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
def test_invalid_fields_are_named_as_they_were_sent(
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
def test_all_routes_refuse_callers_without_a_key_when_keys_are_required(
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
def test_the_placeholder_pending_is_not_taken_for_the_name_of_a_conversation(
    api: APIClient,
) -> None:
    post(api, MESSAGE, {"conversation_id": "pending", "message": "a", "async_processing": True})
    assert Task.objects.get().input["conversation_id"] is None


@pytest.mark.django_db
def test_a_repeated_idempotency_key_returns_the_first_task(api: APIClient) -> None:
    body = json.dumps({**EXAMPLE, "async_processing": True})
    first, second = (
        api.post(MESSAGE, body, content_type="application/json", headers={"Idempotency-Key": "k"})
        for _ in range(2)
    )
    assert (first.status_code, second.status_code) == (202, 200)
    assert first.json() == described(second)


@pytest.mark.django_db
def test_a_request_does_not_wait_when_no_worker_is_alive(api: APIClient) -> None:
    began = time.monotonic()
    response = post(api, MESSAGE, EXAMPLE)
    assert (response.status_code, described(response)["status"]) == (202, "processing")
    assert time.monotonic() - began < 5


@pytest.mark.django_db
def test_a_request_stops_waiting_for_a_reply_after_the_configured_time(
    api: APIClient, settings: Settings
) -> None:
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
    # The same for an event of a platform, through both of its tasks.
    interaction = {"platform": "generic", "payload": GENERIC, "async_processing": False}
    first, second = (described(post(api, INTERACTION, interaction)) for _ in range(2))
    assert (first["status"], first["response"]) == ("completed", "Hello! What can I do for you?")
    own_id = str(Conversation.objects.get(platform="generic").pk)
    assert first["conversation_id"] == own_id
    assert second["response"] == first["response"]
    assert second["task_id"] != first["task_id"]
    assert Message.objects.count() == 4
    own = status_of(api, first["task_id"])
    assert own["result"] == {
        "conversation_id": first["conversation_id"], "ai_response": first["response"],
    }  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_a_failed_reply_is_reported_with_status_200_and_its_reason(
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
    ("fields", "shown"),
    [
        ({}, ("PENDING", 0, None)),
        ({"status": "PROCESSING", "progress": 40}, ("STARTED", 40, None)),
        ({"attempt": 1}, ("RETRY", 0, None)),
        ({"status": "COMPLETED", "result": {**REPLY, "provider": "x"}}, ("SUCCESS", 100, REPLY)),
        ({"status": "FAILED", "progress": 40}, ("FAILURE", 40, None)),
        ({"status": "CANCELLED"}, ("REVOKED", 0, None)),
    ],
)
def test_statuses_have_the_documented_spelling(
    api: APIClient, fields: dict[str, Any], shown: Any
) -> None:
    task = make_task(**{"kind": "conversation.message", **fields})
    status, progress, result = shown
    assert status_of(api, task.pk) == {
        "task_id": str(task.pk), "status": status, "progress": progress, "result": result,
    }  # fmt: skip


@pytest.mark.django_db
def test_an_event_has_the_status_of_the_task_that_answers_it(api: APIClient, user: User) -> None:
    answer = make_task(kind="conversation.interaction")
    result = {"platform": "generic", "events": 1, "duplicates": 0, "tasks": [str(answer.pk)]}
    event = make_task(Status.COMPLETED, kind="webhook.generic", result=result)
    assert (status_of(api, event.pk)["status"], status_of(api, event.pk)["result"]) == (
        "STARTED", None,
    )  # fmt: skip
    Task.objects.filter(pk=answer.pk).update(owner=user)
    assert status_of(api, event.pk)["result"] == result


@pytest.mark.django_db
def test_tasks_of_other_queues_and_of_other_owners_are_not_found(
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
def test_the_running_tasks_that_the_caller_can_see_are_listed(
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
def test_a_waiting_task_is_cancelled_at_once_and_a_running_one_is_requested_to_stop(
    api: APIClient,
) -> None:
    waiting = make_task(kind="conversation.message")
    running = make_task("PROCESSING", kind="webhook.generic")
    ended = make_task("COMPLETED", kind="conversation.message")

    def cancel(task: Task) -> Any:
        return post(api, f"/conversations/tasks/{task.pk}/cancel")

    assert (cancel(waiting).status_code, is_conflict(cancel(waiting), "CANCELLED")) == (200, True)
    response = cancel(running)
    assert (response.status_code, described(response)["status"]) == (202, "STARTED")
    assert is_conflict(cancel(ended), "COMPLETED")
    another = make_task(kind="conversation.message")
    document = described(cancel(another))
    assert document == {
        "task_id": str(another.pk),
        "status": "REVOKED",
        "message": "Task cancelled",
    }
