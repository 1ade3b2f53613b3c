from __future__ import annotations

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
from tests.fakes import platform_events as sent
from tests.fakes.webhook_platform import Fake
from tests.threads import in_threads

pytestmark = pytest.mark.django_db

PHONE = "+12223334444"


def context(*, owner: User | None = None, attempt: int = 1) -> Context:
    owner_id = owner.pk if owner else None
    return make_context(attempt=attempt, owner_id=owner_id)


def receive(
    platform: str, payload: Any, *, owner: User | None = None
) -> tuple[dict[str, Any], list[Any]]:
    """Return the result of an event's task, and what it submits."""
    own = context(owner=owner)
    kind = kinds.get(f"webhook.{platform}")
    kind.validate({"payload": payload})
    with transaction.atomic():
        result = kind.handler({"payload": payload}, own) or {}
    return result, own.follow_ups


@pytest.mark.parametrize("name", ["facebook", "google", "generic", "respond"])
def test_the_kinds_wait_between_conversations_and_reports(name: str) -> None:
    kind = kinds.get(f"webhook.{name}")
    assert (kind.queue, kind.priority, kind.time_limit) == ("webhooks", 5, 120)
    assert kind.transactional is (name != "respond")


@pytest.mark.parametrize(
    ("payload", "event"),
    [
        (
            sent.facebook("Hi", sender="7", id="m_1"),
            Event(id="m_1", sender="7", text="Hi", channel=sent.PAGE),
        ),
        (
            {"sender": {"id": 7}, "message": {"mid": "m_1", "text": "Hi"}},
            Event(id="m_1", sender="7", text="Hi"),
        ),
        (
            {"sender": {"id": "7"}, "timestamp": 5, "postback": {"title": "Start", "payload": "X"}},
            Event(id="7:5", sender="7", text="Start"),
        ),
        (
            {"sender": {"id": "7"}, "message": {"mid": "m", "attachments": [{"type": "image"}]}},
            Event(id="m", sender="7", text="[image]"),
        ),
    ],
)
def test_messenger_tells_of_messages_and_postbacks(payload: Any, event: Event) -> None:
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
def test_what_nobody_said_on_messenger_begins_nothing(messaging: Any) -> None:
    result, begun = receive("facebook", {"object": "page", "entry": [{"messaging": [messaging]}]})
    assert (result["events"], result["tasks"], begun) == (0, [], [])


def test_one_request_of_messengers_may_hold_many_messages() -> None:
    payload = sent.facebook("One", sender="7", id="m_1")
    payload["entry"] += sent.facebook("Two", sender="8", id="m_2")["entry"]
    payload["entry"] += sent.facebook("One", sender="7", id="m_1")["entry"]
    result, begun = receive("facebook", payload)
    assert (result["events"], result["duplicates"]) == (2, 0)
    assert [one.input["message"] for one in begun] == ["One", "Two"]


def test_google_tells_of_messages_in_an_envelope_or_without() -> None:
    told = sent.google_message("Hi", sender=PHONE, id="g1")
    expected = Event(id=f"{PHONE}:g1", sender=PHONE, text="Hi", channel=sent.AGENT)
    assert google.events(sent.enveloped(told)) == google.events(told) == [expected]
    del told["text"]
    tapped = {**told, "suggestionResponse": {"postbackData": "x", "text": "Yes"}}
    assert google.events(tapped)[0].text == "Yes"
    assert google.events({**told, "location": {"latitude": 1}})[0].text == "[location]"


def test_receipts_of_google_begin_nothing() -> None:
    receipt = {"senderPhoneNumber": PHONE, "eventType": "DELIVERED", "eventId": "e1"}
    assert receive("google", sent.enveloped(receipt))[0]["events"] == 0


@pytest.mark.parametrize("data", ["", "%%%", "bm8=", "WzFd", "W1tb" * 100_000])
def test_what_google_did_not_write_is_fatal(data: str) -> None:
    with pytest.raises(FatalError):
        receive("google", {"message": {"data": data}})


@pytest.mark.parametrize(
    ("payload", "sender"),
    [
        ({"id": "e1", "conversation_id": "c", "message": "Hi"}, "c"),
        ({"id": "e1", "user_id": 5, "text": "Hi"}, "5"),
        ({"id": "e1", "message": {"text": "Hi"}}, ""),
        ({"type": "message.created", "id": "e1", "data": {"sender": "s", "message": "Hi"}}, "s"),
    ],
)
def test_the_generic_shape_has_a_text_and_perhaps_a_sender(payload: Any, sender: str) -> None:
    assert generic.events(payload) == [Event(id="e1", sender=sender, text="Hi")]


@pytest.mark.parametrize("text", ["", " ", {"text": 5}])
def test_a_generic_event_without_a_text_is_refused(text: Any) -> None:
    with pytest.raises(UnknownShape):
        generic.events({"message": text})


@pytest.mark.parametrize(
    ("platform", "payload"),
    [
        ("facebook", {}),
        ("facebook", {"entry": {}}),
        ("facebook", {"sender": {}}),
        ("google", {"message": {}}),
        ("google", {"senderPhoneNumber": 1}),
        ("generic", {"sender": "7"}),
        ("generic", {"message": 1}),
        ("generic", []),
    ],
)
def test_payloads_of_no_platform_are_refused_at_the_door(platform: str, payload: Any) -> None:
    with pytest.raises(InvalidInput):
        kinds.get(f"webhook.{platform}").validate({"payload": payload})


def test_what_cannot_be_stored_is_left_out_of_an_event() -> None:
    payload = {"sender": {"id": "7\0"}, "message": {"mid": "m" * 999, "text": "a\0b\ud800"}}
    (event,) = facebook.events(payload)
    assert (event.sender, len(event.id), event.text) == ("7", 64, "ab?")
    long = {"sender": {"id": "7"}, "message": {"text": "x" * 20_000}}
    assert len(facebook.events(long)[0].text) == 10_000


def test_an_event_begins_one_conversation_task_however_often_it_is_told() -> None:
    payload = sent.facebook("Hi", sender="7", id="m_1")
    first, begun = receive("facebook", payload)
    again, nothing = receive("facebook", payload)
    (task,) = begun
    assert (task.kind, task.queue, task.priority) == (
        "conversation.interaction", "conversations", 10,
    )  # fmt: skip
    assert task.input == {
        "platform": "facebook",
        "sender": "7",
        "channel": sent.PAGE,
        "message": "Hi",
        "respond": False,
    }
    assert nothing == []
    assert (first["duplicates"], again["duplicates"]) == (0, 1)
    assert first["tasks"] == again["tasks"] == [str(task.id)]
    assert WebhookEvent.objects.get().task_id == task.id


@pytest.mark.django_db(transaction=True)
def test_an_event_that_is_told_by_many_at_a_time_begins_one_task() -> None:
    payload = sent.facebook("Hi", sender="7", id="m_1")
    done = in_threads(8, lambda: receive("facebook", payload))
    assert sum(len(begun) for _, begun in done) == 1
    assert len({result["tasks"][0] for result, _ in done}) == 1


@pytest.mark.django_db(transaction=True)
def test_an_event_whose_task_fails_is_not_known() -> None:
    payload = sent.facebook("Hi", sender="7", id="m_1")
    with transaction.atomic():
        kinds.get("webhook.facebook").handler({"payload": payload}, context())
        transaction.set_rollback(True)
    assert not WebhookEvent.objects.exists()
    assert len(receive("facebook", payload)[1]) == 1


def test_events_without_a_name_are_all_new() -> None:
    for _ in range(2):
        assert len(receive("generic", {"message": "Hi"})[1]) == 1


def test_one_owners_events_are_no_repetitions_of_anothers(user: User, stranger: User) -> None:
    payload = sent.facebook("Hi", sender="7", id="m_1")
    for owner in (stranger, user, None):
        assert len(receive("facebook", payload, owner=owner)[1]) == 1


def test_replies_go_out_for_nobodys_events_and_operators_only(
    platforms: Fake, user: User, operator: User, viewer: User, settings: Settings
) -> None:
    def wants_response(owner: User | None, id: str) -> bool:
        payload = sent.facebook("Hi", sender="7", id=id)
        return bool(receive("facebook", payload, owner=owner)[1][0].input["respond"])

    assert wants_response(None, "m_1")
    assert wants_response(operator, "m_1")
    assert not wants_response(user, "m_1")
    assert not wants_response(viewer, "m_1")
    settings.FACEBOOK_PAGE_ACCESS_TOKEN = ""
    assert not wants_response(None, "m_2")
