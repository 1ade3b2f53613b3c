"""Webhooks to which the platforms send their events."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from analysis.models import Conversation, Message
from tasks.models import Status, Task
from tests.analysis.platforms import send
from tests.api.described import described, fields, post
from tests.fakes import platform_events as events
from tests.fakes.webhook_platform import VERIFY_TOKEN, Fake
from tests.waiting import wait_until


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("platform", "kind"),
    [
        ("facebook", "webhook.facebook"),
        ("google", "webhook.google"),
        ("generic", "webhook.generic"),
    ],
)
@pytest.mark.parametrize("slash", ["", "/"])
def test_a_signed_event_is_accepted_without_a_key_and_stored_as_a_task(
    api: APIClient, platforms: Fake, settings: Settings, platform: str, kind: str, slash: str
) -> None:
    settings.API_ALLOW_ANONYMOUS = False
    response = send(api, events.message(platform, "Hello", sender="7", id="m_1"), slash=slash)
    task = Task.objects.get()
    assert (response.status_code, response.json()) == (
        200, {"status": "received", "task_id": str(task.pk)},
    )  # fmt: skip
    assert (task.kind, task.owner) == (kind, None)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("platform", "header", "wrong"),
    [
        ("facebook", "X-Hub-Signature-256", ""),
        ("facebook", "X-Hub-Signature-256", "sha256="),
        ("facebook", "X-Hub-Signature-256", "sha256=" + "0" * 64),
        ("google", "X-Goog-Signature", ""),
        ("google", "X-Goog-Signature", "AAAA"),
        ("google", "X-Goog-Signature", "é"),
        ("generic", "webhook-signature", ""),
        ("generic", "webhook-signature", "nonsense"),
        ("generic", "webhook-signature", "v1,%%%"),
        ("generic", "webhook-signature", "v1,AAAA"),
        ("generic", "webhook-id", "another"),
        ("generic", "webhook-timestamp", "1"),
        ("generic", "webhook-timestamp", "nan"),
    ],
)
def test_an_event_with_a_wrong_signature_is_refused(
    api: APIClient, platforms: Fake, platform: str, header: str, wrong: str
) -> None:
    event = events.message(platform, "Hello", sender="7")
    response = send(api, event, **{header: wrong})
    assert response.status_code == 401
    assert described(response)["type"] == "/problems/wrong-signature"
    assert not Task.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("platform", ["facebook", "google", "generic"])
def test_an_event_that_was_changed_in_transit_is_refused(
    api: APIClient, platforms: Fake, platform: str
) -> None:
    event = events.message(platform, "Hello", sender="7")
    other = events.message(platform, "Hello?", sender="7")
    response = send(api, events.SignedEvent(platform, other.body, event.headers))
    assert response.status_code == 401


BODIES = [b"", b"{", b"\xff", b"[" * 100_000, b"[]", b'{"message": 1}']


@pytest.mark.django_db
@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
@pytest.mark.parametrize("platform", ["facebook", "google", "generic"])
def test_an_unsigned_body_is_refused_whatever_it_holds(
    api: APIClient, platforms: Fake, platform: str, body: bytes
) -> None:
    event = events.SignedEvent(platform, body, {"Content-Type": "application/json"})
    assert send(api, event).status_code == 401


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("platform", "setting"),
    [
        ("facebook", "FACEBOOK_APP_SECRET"),
        ("google", "GOOGLE_CLIENT_TOKEN"),
        ("generic", "GENERIC_WEBHOOK_SECRET"),
    ],
)
def test_a_webhook_without_its_secret_refuses_events_and_names_the_setting(
    api: APIClient, platforms: Fake, settings: Settings, platform: str, setting: str
) -> None:
    setattr(settings, setting, "")
    response = send(api, events.message(platform, "Hello", sender="7"))
    assert response.status_code == 503
    problem = described(response)
    assert problem["type"] == "/problems/not-configured"
    assert setting in problem["detail"]


@pytest.mark.django_db
def test_a_signed_event_of_a_wrong_shape_is_refused(api: APIClient, platforms: Fake) -> None:
    refused = fields(send(api, events.signed("generic", {"conversation_id": "7"})))
    assert list(refused) == [""]
    assert not Task.objects.exists()


@pytest.mark.django_db
def test_the_challenge_of_facebook_is_answered_for_the_right_verify_token(
    api: APIClient, platforms: Fake, settings: Settings
) -> None:
    path = "/conversations/webhooks/facebook"
    query = {"hub.mode": "subscribe", "hub.challenge": "115", "hub.verify_token": VERIFY_TOKEN}
    answer = api.get(path, query)
    assert (answer.status_code, answer.content) == (200, b"115")
    assert answer["Content-Type"].startswith("text/plain")
    for wrong in (
        {"hub.verify_token": "x"},
        {"hub.verify_token": "é"},
        {"hub.mode": "unsubscribe"},
    ):
        assert api.get(path, {**query, **wrong}).status_code == 403
    settings.FACEBOOK_VERIFY_TOKEN = ""
    assert "FACEBOOK_VERIFY_TOKEN" in described(api.get(path, query))["detail"]


@pytest.mark.django_db
def test_the_handshake_of_google_is_answered_for_the_right_client_token(
    api: APIClient, platforms: Fake
) -> None:
    path = "/conversations/webhooks/google"
    handshake = {"clientToken": events.GOOGLE_CLIENT_TOKEN, "secret": "1234567890"}
    answer = post(api, path, handshake)
    assert (answer.status_code, answer.content) == (200, b"1234567890")
    for wrong in ("x", "\ud800", "é", "", None, 5):
        body = json.dumps({**handshake, "clientToken": wrong})
        assert api.post(path, body, content_type="application/json").status_code == 401
    assert not Task.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_message_on_each_platform_gets_one_reply_there(
    api: APIClient, worker: Any, platforms: Fake
) -> None:
    worker(**platforms.environment())
    senders = {"facebook": "7", "google": "+12223334444", "generic": "c-42"}
    platforms.script.extend(["503"])
    for platform, sender in senders.items():
        event = events.message(platform, "Hello", sender=sender)
        for _ in range(3):
            assert send(api, event).status_code == 200
    wait_until(lambda: len(platforms.replies) == 3, what="three replies")
    assert {call["platform"]: call["to"] for call in platforms.replies} == senders
    wait_until(
        lambda: not Task.objects.exclude(status=Status.COMPLETED).exists(), what="all completed"
    )
    assert len(platforms.replies) == 3
    assert Conversation.objects.count() == 3
    assert Message.objects.filter(role="assistant", delivered_at__isnull=False).count() == 3
