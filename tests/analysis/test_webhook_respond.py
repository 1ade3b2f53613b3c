"""Delivery of replies to the platforms."""

from __future__ import annotations

import logging
import traceback
import uuid
from typing import Any

import pytest
from django.contrib.auth.models import User
from pytest_django import Settings
from uuid_utils.compat import uuid7

from analysis.models import Conversation, Message, Role
from analysis.webhooks.respond import SCHEDULE
from tasks import kinds
from tasks.kinds import Context, FatalError, Retry
from tests.factories import make_context
from tests.fakes.platform_events import AGENT
from tests.fakes.webhook_platform import PAGE_ACCESS_TOKEN, Fake

pytestmark = pytest.mark.django_db

PHONE = "+12223334444"


def context(*, owner: User | None = None, attempt: int = 1) -> Context:
    owner_id = owner.pk if owner else None
    return make_context(attempt=attempt, owner_id=owner_id)


def make_reply(platform: str = "facebook", to: str = "7", **fields: Any) -> Message:
    """Store a reply that is not delivered yet."""
    key = {"platform": platform, "external_id": to, "owner": fields.pop("owner", None)}
    channel = AGENT if platform == "google" else ""
    conversation, _ = Conversation.objects.get_or_create(**key, channel=channel)
    text = fields.pop("text", "Hello back")
    return Message.objects.create(
        conversation=conversation, role=Role.ASSISTANT, text=text, task_id=uuid7(), **fields
    )


def respond(message: Message, **options: Any) -> dict[str, Any]:
    handler = kinds.get("webhook.respond").handler
    return handler({"message_id": str(message.pk)}, context(**options)) or {}


@pytest.mark.parametrize(
    ("platform", "to"), [("facebook", "7"), ("google", PHONE), ("generic", "c-42")]
)
def test_a_reply_is_delivered_once(platforms: Fake, platform: str, to: str) -> None:
    message = make_reply(platform, to)
    first, second = respond(message), respond(message)
    message.refresh_from_db()
    assert message.delivered_at is not None
    assert first == second
    assert first["delivered_at"] == message.delivered_at.isoformat()
    (call,) = platforms.replies
    assert (call["platform"], call["to"], call["text"]) == (platform, to, "Hello back")
    if platform != "facebook":
        assert call["id"] == str(message.pk)


def test_a_long_reply_is_cut_to_the_limit_of_its_platform(platforms: Fake) -> None:
    respond(make_reply(text="x" * 5_000))
    respond(make_reply("google", PHONE, text="x" * 5_000))
    assert [len(call["text"]) for call in platforms.replies] == [2_000, 3_072]


@pytest.mark.parametrize("do", ["500", "503", "429", "408", "passing"])
def test_a_delivery_that_may_succeed_later_is_retried(platforms: Fake, do: str) -> None:
    message = make_reply()
    platforms.script.append(do)
    with pytest.raises(Retry):
        respond(message)
    message.refresh_from_db()
    assert message.delivered_at is None
    respond(message, attempt=2)
    assert len(platforms.replies) == 1


@pytest.mark.parametrize("do", ["400", "401", "403", "404", "302"])
def test_a_delivery_that_is_refused_fails_at_once(platforms: Fake, do: str) -> None:
    platforms.behaviour = do
    with pytest.raises(FatalError, match=do):
        respond(make_reply())


def test_an_unreachable_platform_is_retried_and_the_error_contains_no_token(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.FACEBOOK_GRAPH_URL = "http://127.0.0.1:9"
    settings.FACEBOOK_PAGE_ACCESS_TOKEN = PAGE_ACCESS_TOKEN
    with caplog.at_level(logging.DEBUG), pytest.raises(Retry) as failed:
        respond(make_reply())
    texts = "".join(traceback.format_exception(failed.value)) + caplog.text
    assert "did not answer" in texts
    assert PAGE_ACCESS_TOKEN not in texts


def test_a_lost_answer_is_followed_by_a_retry_with_the_same_id(platforms: Fake) -> None:
    message = make_reply("generic", "c")
    platforms.script.append("hang up")
    with pytest.raises(Retry):
        respond(message)
    respond(message, attempt=2)
    assert [call["id"] for call in platforms.replies] == [str(message.pk)] * 2


@pytest.mark.parametrize("platform", ["facebook", "google", "generic"])
def test_without_its_setting_nothing_is_delivered(settings: Settings, platform: str) -> None:
    with pytest.raises(FatalError, match=r"^(FACEBOOK|GOOGLE|GENERIC)_\w+ is not set\.$"):
        respond(make_reply(platform))


def test_an_unreadable_service_account_of_google_is_named(platforms: Fake) -> None:
    from django.conf import settings

    settings.GOOGLE_SERVICE_ACCOUNT_FILE = "/nowhere.json"
    with pytest.raises(FatalError, match="GOOGLE_SERVICE_ACCOUNT_FILE cannot be read"):
        respond(make_reply("google", PHONE))


def test_replies_of_other_owners_and_users_without_operator_rights_are_refused(
    platforms: Fake, user: User, stranger: User
) -> None:
    with pytest.raises(FatalError, match="no such reply"):
        respond(make_reply(owner=user), owner=stranger)
    with pytest.raises(FatalError, match="operators"):
        respond(make_reply(owner=user), owner=user)
    with pytest.raises(FatalError, match="no such reply"):
        respond(make_reply("api", "conv"))
    with pytest.raises(FatalError, match="no such reply"):
        kinds.get("webhook.respond").handler({"message_id": str(uuid.uuid4())}, context())
    assert platforms.replies == []


def test_replies_are_retried_for_hours_but_less_than_a_day() -> None:
    pauses = [SCHEDULE.next_delay(attempt) for attempt in range(1, SCHEDULE.max_retries + 1)]
    assert 2 * 3600 < sum(pauses) < 24 * 3600
