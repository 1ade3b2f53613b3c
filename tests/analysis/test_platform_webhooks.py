"""The addresses to which the platforms themselves send their events."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from analysis.models import Conversation, Message
from tasks.models import Status, Task
from tests.analysis.platforms import sent
from tests.api.described import described, fields, post
from tests.fakes import platform_events as events
from tests.fakes.webhook_platform import VERIFY_TOKEN, Fake
from tests.waiting import wait_until


@pytest.mark.django_db
@pytest.mark.parametrize("platform", ["facebook", "google", "generic"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_a_signed_event_needs_no_key_and_is_answered_when_it_is_committed(
    api: APIClient, platforms: Fake, settings: Settings, platform: str, slash: str
) -> None:
    settings.API_ALLOW_ANONYMOUS = False
    response = sent(api, events.message(platform, "Hello", sender="7", id="m_1"), slash=slash)
    task = Task.objects.get()
    assert (response.status_code, response.json()) == (
        200, {"status": "received", "task_id": str(task.pk)},
    )  # fmt: skip
    assert (task.kind, task.owner) == (f"webhook.{platform}", None)


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
def test_an_event_with_a_wrong_signature_is_not_let_in(
    api: APIClient, platforms: Fake, platform: str, header: str, wrong: str
) -> None:
    delivery = events.message(platform, "Hello", sender="7")
    response = sent(api, delivery, **{header: wrong})
    assert response.status_code == 401
    assert described(response)["type"] == "/problems/wrong-signature"
    assert not Task.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("platform", ["facebook", "google", "generic"])
def test_an_event_that_was_changed_on_the_way_is_not_let_in(
    api: APIClient, platforms: Fake, platform: str
) -> None:
    delivery = events.message(platform, "Hello", sender="7")
    other = events.message(platform, "Hello?", sender="7")
    response = sent(api, events.Delivery(platform, other.body, delivery.headers))
    assert response.status_code == 401


BODIES = [b"", b"{", b"\xff", b"[" * 100_000, b"[]", b'{"message": 1}']


@pytest.mark.django_db
@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("platform", ["facebook", "generic"])
def test_an_unsigned_body_is_refused_before_it_is_parsed(
    api: APIClient, platforms: Fake, platform: str, body: bytes
) -> None:
    delivery = events.Delivery(platform, body, {"Content-Type": "application/json"})
    assert sent(api, delivery).status_code == 401


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "status"), list(zip(BODIES, [401, 400, 400, 400, 401, 401], strict=True))
)
def test_an_unsigned_body_for_google_is_parsed_first_because_it_may_be_a_handshake(
    api: APIClient, platforms: Fake, body: bytes, status: int
) -> None:
    delivery = events.Delivery("google", body, {"Content-Type": "application/json"})
    assert sent(api, delivery).status_code == status


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("platform", "setting"),
    [
        ("facebook", "FACEBOOK_APP_SECRET"),
        ("google", "GOOGLE_CLIENT_TOKEN"),
        ("generic", "GENERIC_WEBHOOK_SECRET"),
    ],
)
def test_without_its_secret_a_webhook_lets_nothing_in_and_says_what_is_missing(
    api: APIClient, platforms: Fake, settings: Settings, platform: str, setting: str
) -> None:
    setattr(settings, setting, "")
    response = sent(api, events.message(platform, "Hello", sender="7"))
    assert response.status_code == 503
    problem = described(response)
    assert problem["type"] == "/problems/not-configured"
    assert setting in problem["detail"]


@pytest.mark.django_db
def test_a_signed_event_of_no_shape_names_what_is_wrong(api: APIClient, platforms: Fake) -> None:
    refused = fields(sent(api, events.delivery("generic", {"conversation_id": "7"})))
    assert list(refused) == [""]
    assert not Task.objects.exists()


@pytest.mark.django_db
def test_facebook_is_shown_that_the_webhook_is_ours(
    api: APIClient, platforms: Fake, settings: Settings
) -> None:
    path = "/conversations/webhooks/facebook"
    asked = {"hub.mode": "subscribe", "hub.challenge": "115", "hub.verify_token": VERIFY_TOKEN}
    answer = api.get(path, asked)
    assert (answer.status_code, answer.content) == (200, b"115")
    assert answer["Content-Type"].startswith("text/plain")
    for wrong in (
        {"hub.verify_token": "x"},
        {"hub.verify_token": "é"},
        {"hub.mode": "unsubscribe"},
    ):
        assert api.get(path, {**asked, **wrong}).status_code == 403
    settings.FACEBOOK_VERIFY_TOKEN = ""
    assert "FACEBOOK_VERIFY_TOKEN" in described(api.get(path, asked))["detail"]


@pytest.mark.django_db
def test_google_is_shown_that_the_webhook_is_ours(api: APIClient, platforms: Fake) -> None:
    path = "/conversations/webhooks/google"
    asked = {"clientToken": events.GOOGLE_CLIENT_TOKEN, "secret": "1234567890"}
    answer = post(api, path, asked)
    assert (answer.status_code, answer.content) == (200, b"1234567890")
    assert post(api, path, {**asked, "clientToken": "x"}).status_code == 401
    assert not Task.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_what_is_said_on_every_platform_is_answered_there_once(
    api: APIClient, worker: Any, platforms: Fake
) -> None:
    worker(**platforms.environment())
    told = {"facebook": "7", "google": "+12223334444", "generic": "c-42"}
    platforms.script.extend(["503"])
    for platform, sender in told.items():
        delivery = events.message(platform, "Hello", sender=sender)
        for _ in range(3):
            assert sent(api, delivery).status_code == 200
    wait_until(lambda: len(platforms.replies) == 3, what="three replies")
    assert {call["platform"]: call["to"] for call in platforms.replies} == told
    wait_until(
        lambda: not Task.objects.exclude(status=Status.COMPLETED).exists(), what="all completed"
    )
    assert len(platforms.replies) == 3
    assert Conversation.objects.count() == 3
    assert Message.objects.filter(role="assistant", delivered_at__isnull=False).count() == 3
