"""Signed events that strict JSON would refuse: a platform would send them again and again."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from django.db import transaction
from rest_framework.test import APIClient

from analysis.webhooks.lenient_json import parse_leniently
from tasks import kinds
from tasks.models import Task
from tasks.strict_json import MAX_DEPTH, MAX_VALUES, MalformedJSON
from tests.analysis.platforms import send
from tests.api.described import described
from tests.factories import make_context
from tests.fakes import platform_events as events
from tests.fakes.webhook_platform import Fake


def nested(inner: bytes) -> bytes:
    """Return a document with a value as deep as any that is kept."""
    return b"[" * MAX_DEPTH + inner + b"]" * MAX_DEPTH


DEEP = b"[" * 200 + b"]" * 200
READ: list[tuple[bytes, Any]] = [
    (rb'"half \ud83d"', "half ?"),
    (rb'"\udc00 half"', "? half"),
    (rb'"\ud83d\ude00"', "\U0001f600"),
    (rb'"a\u0000b"', "ab"),
    (b'"a\x00b\x01c\nd"', "ab\x01c\nd"),
    (b'"caf\xe9"', "caf\ufffd"),
    (b'"\xed\xa0\xbd"', "\ufffd\ufffd\ufffd"),
    (b'\xef\xbb\xbf"a"', "a"),
    (rb'{"\ud800": 1, "a\u0000": 2}', {"?": 1, "a": 2}),
    (b'{"a": 1, "a": 2}', {"a": 2}),
    (str(2**63 - 1).encode(), 2**63 - 1),
    (str(2**63).encode(), str(2**63)),
    (str(-(2**63)).encode(), -(2**63)),
    (str(-(2**63) - 1).encode(), str(-(2**63) - 1)),
    (b"9" * 5_000, "9" * 5_000),
    (b"1e400", "1e400"),
    (b"-1e400", "-1e400"),
    (b"1.5", 1.5),
    (b"[NaN, Infinity, -Infinity]", ["NaN", "Infinity", "-Infinity"]),
    (nested(b"1"), json.loads(nested(b"1"))),
    (nested(b"[1]"), json.loads(nested(b"null"))),
    (nested(b'{"a": 1}'), json.loads(nested(b"null"))),
]  # fmt: skip
NO_JSON = [b"", b"{", b'{"a": 1,}', b"{'a': 1}", b"1 2", b"[" * 100_000]


@pytest.mark.parametrize(("document", "value"), READ, ids=range(len(READ)))
def test_what_the_standard_leaves_to_the_reader_is_accepted(document: bytes, value: Any) -> None:
    assert parse_leniently(document) == value


@pytest.mark.parametrize("document", NO_JSON, ids=range(len(NO_JSON)))
def test_what_is_not_json_is_malformed(document: bytes) -> None:
    with pytest.raises(MalformedJSON):
        parse_leniently(document)


STRANGE = {
    "half a pair": (rb'"Hello \ud83d"', "Hello ?"),
    "NUL": (rb'"Hel\u0000lo"', "Hello"),
}
BESIDE = {
    "a huge integer": b"9" * 5_000,
    "an integer beyond 64 bits": b"18446744073709551616",
    "a number out of range": b"1e400",
    "no number": b"NaN",
    "a deep value": DEEP,
    "many values": b"[" + b"1," * MAX_VALUES + b"1]",
    "a text with half a pair": rb'"\ud83d"',
}


def signed(platform: str, text: bytes = b'"Hello"', beside: bytes = b"1") -> events.SignedEvent:
    """Return a signed message with a text and another member, both as JSON."""
    more = b'"other": %s, "other": %s' % (beside, beside)
    document = {
        "facebook": b'{"entry": [{"messaging": [{"sender": {"id": "7"}, "message": {"mid": "m", '
        b'"text": %s}, %s}]}], %s}' % (text, more, more),
        "google": b'{"senderPhoneNumber": "7", "messageId": "m", "text": %s, %s}' % (text, more),
        "generic": b'{"conversation_id": "7", "id": "m", "message": %s, %s}' % (text, more),
    }[platform]
    return events.signed_bytes(platform, document)


def received(api: APIClient, event: events.SignedEvent) -> list[dict[str, Any]]:
    """Send an event, run its task, and return the inputs of the tasks that it starts."""
    assert send(api, event).status_code == 200
    task = Task.objects.get()
    context = make_context()
    with transaction.atomic():
        kinds.get(task.kind).handler(task.input, context)
    return [json.loads(follow_up.input) for follow_up in context.follow_ups]


@pytest.mark.django_db
@pytest.mark.parametrize("name", STRANGE)
@pytest.mark.parametrize("platform", ["facebook", "google", "generic"])
def test_a_character_that_cannot_be_stored_is_replaced(
    api: APIClient, platforms: Fake, platform: str, name: str
) -> None:
    text, replaced = STRANGE[name]
    (task,) = received(api, signed(platform, text=text))
    assert task["message"] == replaced


@pytest.mark.django_db
@pytest.mark.parametrize("platform", ["facebook", "google"])
def test_bytes_that_are_not_utf8_are_replaced(
    api: APIClient, platforms: Fake, platform: str
) -> None:
    (task,) = received(api, signed(platform, text=b'"caf\xe9"'))
    assert task["message"] == "caf\ufffd"


@pytest.mark.django_db
@pytest.mark.parametrize("name", BESIDE)
@pytest.mark.parametrize("platform", ["facebook", "google", "generic"])
def test_a_value_that_is_not_used_refuses_no_event(
    api: APIClient, platforms: Fake, platform: str, name: str
) -> None:
    (task,) = received(api, signed(platform, beside=BESIDE[name]))
    assert task["message"] == "Hello"


@pytest.mark.django_db
@pytest.mark.parametrize("blank", ["\ufeff", " \ufeff\u3000", "\x1c", "\u2028"])
def test_a_blank_message_holds_back_none_of_the_others(
    api: APIClient, platforms: Fake, blank: str
) -> None:
    payload = events.facebook("Hello", sender="7", id="m_1")
    payload["entry"] += events.facebook(blank, sender="7", id="m_2")["entry"]
    (task,) = received(api, events.signed("facebook", payload))
    assert task["message"] == "Hello"


@pytest.mark.django_db
@pytest.mark.parametrize("platform", ["facebook", "google", "generic"])
def test_a_sender_beyond_64_bits_is_a_name(api: APIClient, platforms: Fake, platform: str) -> None:
    id = b"123456789012345678901234567890"
    document = {
        "facebook": b'{"sender": {"id": %s}, "message": {"text": "Hi"}}',
        "google": b'{"senderPhoneNumber": %s, "text": "Hi"}',
        "generic": b'{"conversation_id": %s, "message": "Hi"}',
    }[platform]  # fmt: skip
    (task,) = received(api, events.signed_bytes(platform, document % id))
    assert (task["sender"], task["message"]) == (id.decode(), "Hi")


@pytest.mark.django_db
@pytest.mark.parametrize("document", NO_JSON, ids=range(len(NO_JSON)))
@pytest.mark.parametrize("platform", ["facebook", "generic"])
def test_a_signed_body_that_is_not_json_is_a_problem(
    api: APIClient, platforms: Fake, platform: str, document: bytes
) -> None:
    response = send(api, events.signed_bytes(platform, document))
    assert response.status_code == 400
    assert described(response)["type"] == "/problems/malformed-body"
    assert not Task.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("document", [b"{", b"[]", b'{"phoneNumber": "7", "eventType": "EXPIRED"}'])
def test_google_gets_200_for_everything_it_has_signed(
    api: APIClient, platforms: Fake, document: bytes
) -> None:
    assert send(api, events.signed_bytes("google", document)).status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize("platform", ["facebook", "google", "generic"])
@pytest.mark.parametrize(
    "body",
    [b"[" * 10_000_000, b"[]," * 3_000_000, b'{"message": {"data": "' + b"A" * 9_000_000 + b'"}}'],
    ids=["deep", "many values", "long"],
)
def test_a_large_unsigned_body_costs_less_than_a_second(
    api: APIClient, platforms: Fake, platform: str, body: bytes
) -> None:
    # The processor's time: others may use the machine meanwhile.
    began = time.thread_time()
    event = events.SignedEvent(platform, body, {"Content-Type": "application/json"})
    assert send(api, event).status_code == 401
    assert time.thread_time() - began < 1


@pytest.mark.django_db
def test_a_body_that_is_too_large_is_refused_before_its_signature_is_checked(
    api: APIClient, platforms: Fake
) -> None:
    event = events.signed_bytes("facebook", b'{"entry": ["' + b"a" * 10 * 1024 * 1024 + b'"]}')
    assert send(api, event).status_code == 413
