"""Forged and repeated events (fault S23): only what a platform signed is acted upon, once."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from django.db import transaction
from rest_framework.test import APIClient

from analysis.maintenance import cleanup
from analysis.models import WebhookEvent
from analysis.models.webhook_event import EVENTS_KEPT
from tasks import kinds
from tasks.models import Task
from tests.analysis.platforms import send
from tests.factories import make_context
from tests.fakes import platform_events as events
from tests.fakes.forgeries import FORGERIES, Forgery
from tests.fakes.platform_events import SignedEvent
from tests.fakes.webhook_platform import Fake

pytestmark = pytest.mark.django_db

DAY = 86_400.0
KEPT = EVENTS_KEPT.total_seconds()
PLATFORMS = ["facebook", "google", "generic"]


def handle_all() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Run the tasks of all events; return their results, and the inputs of the tasks they start."""
    results, started = [], []
    for task in Task.objects.filter(kind__startswith="webhook.").order_by("created_at"):
        context = make_context()
        with transaction.atomic():
            results.append(kinds.get(task.kind).handler(task.input, context) or {})
        started += [json.loads(follow_up.input) for follow_up in context.follow_ups]
    return results, started


def message_of(sender: str, text: str) -> dict[str, Any]:
    """Return a message of Facebook in which nothing identifies it."""
    return {"sender": {"id": sender}, "message": {"text": text}}


def without_id(platform: str) -> SignedEvent:
    """Return the event of a message in which nothing identifies it."""
    make = {"facebook": events.facebook, "google": events.google_message}.get(
        platform, events.generic
    )
    document = make("Genuine", sender="7", id="unused")
    if platform == "facebook":
        document["entry"][0]["messaging"] = [message_of("7", "Genuine")]
    document.pop("messageId", None)
    document.pop("id", None)
    return events.signed_bytes(platform, json.dumps(document).encode(), id="m_1")


@pytest.mark.parametrize("forgery", FORGERIES, ids=str)
@pytest.mark.parametrize("has_id", [True, False])
def test_the_holder_of_a_genuine_delivery_can_start_nothing_with_it(
    api: APIClient, platforms: Fake, forgery: Forgery, has_id: bool
) -> None:
    genuine = events.message(forgery.platform, "Genuine", sender="7")
    genuine = genuine if has_id else without_id(forgery.platform)
    assert send(api, genuine).status_code == 200
    for _ in range(2):
        assert send(api, forgery.of(genuine)).status_code == forgery.status
    results, started = handle_all()
    assert len(results) == (3 if forgery.status == 200 else 1)
    assert [(task["sender"], task["message"]) for task in started] == [("7", "Genuine")]
    payloads = [task.input["payload"] for task in Task.objects.all()]
    assert payloads == payloads[:1] * len(payloads)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_two_messages_without_an_id_are_two_events(
    api: APIClient, platforms: Fake, platform: str
) -> None:
    for text in ("One", "Two"):
        document = {
            "facebook": {"entry": [{"messaging": [message_of("7", text)]}]},
            "google": {"senderPhoneNumber": "7", "text": text},
            "generic": {"conversation_id": "7", "message": text},
        }[platform]
        event = events.signed_bytes(platform, json.dumps(document).encode())
        assert send(api, event).status_code == 200
    assert [task["message"] for task in handle_all()[1]] == ["One", "Two"]


def test_messages_without_an_id_in_one_delivery_are_events_of_their_own(
    api: APIClient, platforms: Fake
) -> None:
    messaging = [message_of("7", "Hi")] * 2
    event = events.signed("facebook", {"entry": [{"messaging": messaging}]})
    for _ in range(2):
        assert send(api, event).status_code == 200
    results, started = handle_all()
    assert [(result["events"], result["duplicates"]) for result in results] == [(2, 0), (2, 2)]
    assert len(started) == 2


@pytest.mark.parametrize("platform", ["facebook", "google"])
@pytest.mark.parametrize(("age", "expired"), [(7 * DAY, 0), (KEPT - 2 * DAY, 0), (KEPT, 1)])
def test_an_event_that_is_too_old_to_know_whether_it_was_received_is_accepted_and_ignored(
    api: APIClient, platforms: Fake, platform: str, age: float, expired: int
) -> None:
    event = events.message(platform, "Old", sender="7", at=time.time() - age)
    assert send(api, event).status_code == 200
    (result,), started = handle_all()
    assert (result["events"], result["expired"]) == (1 - expired, expired)
    assert len(started) == 1 - expired


@pytest.mark.parametrize("age", [400, -400])
def test_an_event_of_standard_webhooks_is_refused_after_five_minutes(
    api: APIClient, platforms: Fake, age: float
) -> None:
    event = events.message("generic", "Old", sender="7", at=time.time() - age)
    assert send(api, event).status_code == 401


@pytest.mark.parametrize("platform", PLATFORMS)
def test_an_event_is_remembered_until_it_is_too_old(
    api: APIClient, platforms: Fake, platform: str
) -> None:
    event = events.message(platform, "Hi", sender="7")
    send(api, event)
    assert len(handle_all()[1]) == 1
    WebhookEvent.objects.update(received_at=WebhookEvent.objects.get().received_at - EVENTS_KEPT)
    assert cleanup.handle({}, make_context())["webhook_events_deleted"] == 1


def test_an_event_from_a_telephone_whose_clock_is_ahead_is_remembered_longer(
    api: APIClient, platforms: Fake
) -> None:
    ahead = time.time() + 40 * DAY
    send(api, events.message("google", "Hi", sender="7", at=ahead))
    assert len(handle_all()[1]) == 1
    assert WebhookEvent.objects.get().received_at.timestamp() == pytest.approx(ahead, abs=1)
    assert cleanup.handle({}, make_context())["webhook_events_deleted"] == 0


@pytest.mark.parametrize(
    "time", [None, "soon", "9999-12-31T23:59:59-23:59", "0001-01-01", "1e999", 10**18, -1, [], True]
)
@pytest.mark.parametrize("platform", ["facebook", "google"])
def test_a_time_that_cannot_be_read_or_stored_fails_nothing(
    api: APIClient, platforms: Fake, platform: str, time: Any
) -> None:
    document: dict[str, Any] = {"senderPhoneNumber": "7", "text": "Hi", "sendTime": time}
    if platform == "facebook":
        messaging = {"sender": {"id": "7"}, "timestamp": time, "message": {"text": "Hi"}}
        document = {"entry": [{"time": time, "messaging": [messaging]}]}
    event = events.signed_bytes(platform, json.dumps(document).encode())
    assert send(api, event).status_code == 200
    (result,), _ = handle_all()
    assert result["events"] + result["expired"] == 1
    assert not WebhookEvent.objects.filter(received_at__year__gt=2100).exists()


def test_a_caller_with_a_key_may_forward_an_old_event(api: APIClient, settings: Any) -> None:
    settings.API_ALLOW_ANONYMOUS = True
    payload = events.facebook("Old", sender="7", id="m_1", at=1.0)
    body = {"platform": "facebook", "payload": payload}
    assert api.post("/conversations/webhook-interaction", body, format="json").status_code == 202
    (result,), started = handle_all()
    assert (result["events"], result["expired"], len(started)) == (1, 0, 1)
