from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from pytest_django import Settings

from analysis.models import WebhookEvent
from analysis.webhooks import facebook, generic, google
from analysis.webhooks.event import Event, UnknownShape
from tasks import kinds
from tasks.errors import InvalidInput
from tasks.kinds import Context, FatalError
from tests.factories import make_context
from tests.fakes import platform_events
from tests.fakes.webhook_platform import Fake
from tests.threads import in_threads

pytestmark = pytest.mark.django_db

PHONE = "+12223334444"
SENT_AT = dt.datetime(2026, 1, 1, 12, 30, tzinfo=dt.UTC)


def context(*, owner: User | None = None, attempt: int = 1) -> Context:
    owner_id = owner.pk if owner else None
    return make_context(attempt=attempt, owner_id=owner_id)


def receive(
    kind: str, payload: Any, *, owner: User | None = None
) -> tuple[dict[str, Any], list[Any]]:
    """Run the task of an event; return its result and the tasks that it submits."""
    own_context = context(owner=owner)
    kinds.get(kind).validate({"payload": payload})
    with transaction.atomic():
        result = kinds.get(kind).handler({"payload": payload}, own_context) or {}
    return result, own_context.follow_ups


@pytest.mark.parametrize(
    "name", ["webhook.facebook", "webhook.google", "webhook.generic", "webhook.respond"]
)
def test_the_priority_of_the_kinds_is_between_conversations_and_reports(name: str) -> None:
    kind = kinds.get(name)
    assert (kind.queue, kind.priority, kind.time_limit) == ("webhooks", 5, 120)
    assert kind.transactional is (name != "webhook.respond")


@pytest.mark.parametrize(
    ("payload", "event"),
    [
        (
            platform_events.facebook("Hi", sender="7", id="m_1", at=SENT_AT.timestamp()),
            Event(id="m_1", sender="7", text="Hi", channel=platform_events.PAGE, sent_at=SENT_AT),
        ),
        (
            {"sender": {"id": 7}, "message": {"mid": "m_1", "text": "Hi"}},
            Event(id="m_1", sender="7", text="Hi"),
        ),
        (
            {"sender": {"id": "7"}, "timestamp": 5, "postback": {"title": "Start", "payload": "X"}},
            Event(
                id="7:5",
                sender="7",
                text="Start",
                sent_at=dt.datetime(1970, 1, 1, 0, 0, 5, tzinfo=dt.UTC),
            ),
        ),
        (
            {"sender": {"id": "7"}, "message": {"mid": "m", "attachments": [{"type": "image"}]}},
            Event(id="m", sender="7", text="[image]"),
        ),
    ],
)
def test_messages_and_postbacks_of_facebook_are_events(payload: Any, event: Event) -> None:
    assert facebook.events(payload) == [event]


@pytest.mark.parametrize(
    "messaging",
    [
        {"sender": {"id": "7"}, "delivery": {"mids": ["m_1"], "watermark": 1}},
        {"sender": {"id": "7"}, "read": {"watermark": 1}},
        {"sender": {"id": "7"}, "message": {"mid": "m", "text": "ours", "is_echo": True}},
        {"sender": {"id": "7"}, "message": {"mid": "m", "text": ["no", "text"]}},
        {"sender": "7", "message": {"text": "Hi"}},
        "nonsense",
        None,
    ],
)
def test_receipts_echoes_and_invalid_items_of_facebook_start_nothing(messaging: Any) -> None:
    result, submitted = receive(
        "webhook.facebook", {"object": "page", "entry": [{"messaging": [messaging]}]}
    )
    assert (result["events"], result["tasks"], submitted) == (0, [], [])


def test_one_request_of_facebook_can_hold_many_messages() -> None:
    payload = platform_events.facebook("One", sender="7", id="m_1")
    payload["entry"] += platform_events.facebook("Two", sender="8", id="m_2")["entry"]
    payload["entry"] += platform_events.facebook("One", sender="7", id="m_1")["entry"]
    result, submitted = receive("webhook.facebook", payload)
    assert (result["events"], result["duplicates"]) == (2, 0)
    assert [json.loads(task.input)["message"] for task in submitted] == ["One", "Two"]


def test_messages_of_google_are_events_with_and_without_their_envelope() -> None:
    message = platform_events.google_message("Hi", sender=PHONE, id="g1", at=SENT_AT.timestamp())
    expected = Event(
        id=f"{PHONE}:g1", sender=PHONE, text="Hi", channel=platform_events.AGENT, sent_at=SENT_AT
    )
    assert google.events(platform_events.enveloped(message)) == google.events(message) == [expected]
    del message["text"]
    suggestion = {**message, "suggestionResponse": {"postbackData": "x", "text": "Yes"}}
    assert google.events(suggestion)[0].text == "Yes"
    assert google.events({**message, "location": {"latitude": 1}})[0].text == "[location]"


def test_receipts_of_google_start_nothing() -> None:
    receipt = {"senderPhoneNumber": PHONE, "eventType": "DELIVERED", "eventId": "e1"}
    assert receive("webhook.google", platform_events.enveloped(receipt))[0]["events"] == 0


@pytest.mark.parametrize("data", ["", "%%%", "bm8=", "WzFd", "W1tb" * 100_000])
def test_data_that_is_not_an_event_of_google_is_fatal(data: str) -> None:
    with pytest.raises(FatalError):
        receive("webhook.google", {"message": {"data": data}})


@pytest.mark.parametrize(
    ("payload", "sender"),
    [
        ({"id": "e1", "conversation_id": "c", "message": "Hi"}, "c"),
        ({"id": "e1", "user_id": 5, "text": "Hi"}, "5"),
        ({"id": "e1", "message": {"text": "Hi"}}, ""),
        ({"type": "message.created", "id": "e1", "data": {"sender": "s", "message": "Hi"}}, "s"),
    ],
)
def test_generic_events_have_a_text_and_an_optional_sender(payload: Any, sender: str) -> None:
    assert generic.events(payload) == [Event(id="e1", sender=sender, text="Hi")]


@pytest.mark.parametrize("text", ["", " ", {"text": 5}])
def test_a_generic_event_without_a_text_is_refused(text: Any) -> None:
    with pytest.raises(UnknownShape):
        generic.events({"message": text})


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("webhook.facebook", {}),
        ("webhook.facebook", {"entry": {}}),
        ("webhook.facebook", {"sender": {}}),
        ("webhook.google", {"message": {}}),
        ("webhook.google", {"senderPhoneNumber": 1}),
        ("webhook.generic", {"sender": "7"}),
        ("webhook.generic", {"message": 1}),
        ("webhook.generic", []),
    ],
)
def test_payloads_that_are_not_of_their_platform_are_refused_at_submission(
    kind: str, payload: Any
) -> None:
    with pytest.raises(InvalidInput):
        kinds.get(kind).validate({"payload": payload})


def test_events_are_cut_to_what_can_be_stored() -> None:
    payload = {"sender": {"id": "7\0"}, "message": {"mid": "m" * 999, "text": "a\0b\ud800"}}
    (event,) = facebook.events(payload)
    assert (event.sender, len(event.id), event.text) == ("7", 64, "ab?")
    long = {"sender": {"id": "7"}, "message": {"text": "x" * 20_000}}
    assert len(facebook.events(long)[0].text) == 10_000


def test_an_event_that_is_sent_again_starts_no_second_task() -> None:
    payload = platform_events.facebook("Hi", sender="7", id="m_1")
    first, submitted = receive("webhook.facebook", payload)
    second, submitted_again = receive("webhook.facebook", payload)
    (task,) = submitted
    assert (task.kind, task.queue, task.priority) == (
        "conversation.interaction", "conversations", 10,
    )  # fmt: skip
    assert json.loads(task.input) == {
        "platform": "facebook",
        "sender": "7",
        "channel": platform_events.PAGE,
        "message": "Hi",
        "respond": False,
    }
    assert submitted_again == []
    assert (first["duplicates"], second["duplicates"]) == (0, 1)
    assert first["tasks"] == second["tasks"] == [str(task.id)]
    assert WebhookEvent.objects.get().task_id == task.id


@pytest.mark.django_db(transaction=True)
def test_concurrent_copies_of_an_event_start_one_task() -> None:
    payload = platform_events.facebook("Hi", sender="7", id="m_1")
    results = in_threads(8, lambda: receive("webhook.facebook", payload))
    assert sum(len(submitted) for _, submitted in results) == 1
    assert len({result["tasks"][0] for result, _ in results}) == 1


@pytest.mark.django_db(transaction=True)
def test_an_event_is_not_stored_when_its_task_is_rolled_back() -> None:
    payload = platform_events.facebook("Hi", sender="7", id="m_1")
    with transaction.atomic():
        kinds.get("webhook.facebook").handler({"payload": payload}, context())
        transaction.set_rollback(True)
    assert not WebhookEvent.objects.exists()
    assert len(receive("webhook.facebook", payload)[1]) == 1


def test_events_without_an_id_are_all_new() -> None:
    for _ in range(2):
        assert len(receive("webhook.generic", {"message": "Hi"})[1]) == 1


def test_the_same_event_from_different_owners_starts_a_task_for_each(
    user: User, stranger: User
) -> None:
    payload = platform_events.facebook("Hi", sender="7", id="m_1")
    for owner in (stranger, user, None):
        assert len(receive("webhook.facebook", payload, owner=owner)[1]) == 1


def test_replies_are_sent_for_events_without_an_owner_and_for_operators_only(
    platforms: Fake, user: User, operator: User, viewer: User, settings: Settings
) -> None:
    def is_sent(owner: User | None, id: str) -> bool:
        payload = platform_events.facebook("Hi", sender="7", id=id)
        (task,) = receive("webhook.facebook", payload, owner=owner)[1]
        return bool(json.loads(task.input)["respond"])

    assert is_sent(None, "m_1")
    assert is_sent(operator, "m_1")
    assert not is_sent(user, "m_1")
    assert not is_sent(viewer, "m_1")
    settings.FACEBOOK_PAGE_ACCESS_TOKEN = ""
    assert not is_sent(None, "m_2")
