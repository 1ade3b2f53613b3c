"""Facebook: the webhook events, signature and Send API of its Messenger Platform."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings

from analysis.models import Message, Platform
from analysis.webhooks.contract import SignedEvent, Verification, WebhookPlatform
from analysis.webhooks.delivery import Answer, Delivery, DeliveryStatus
from analysis.webhooks.event import Event, UnknownShape, event, from_unix, part, parts
from analysis.webhooks.lenient_json import parse_leniently

LONGEST_REPLY = 2_000
# Errors of the Graph API that pass: its own failures, and rate limits.
_PASSING = frozenset({1, 2, 4, 32, 341, 613, 80006})

PAYLOAD = {
    "type": "object",
    "description": "The body that Facebook posts, or one event of its `messaging`.",
    "anyOf": [
        {
            "required": ["entry"],
            "properties": {"entry": {"type": "array", "items": {"type": "object"}}},
        },
        {
            "required": ["sender"],
            "properties": {
                "sender": {"type": "object", "required": ["id"]},
                "message": {"type": "object"},
            },
        },
    ],
}


def verify(body: bytes, headers: Mapping[str, str]) -> SignedEvent | None:
    """Return the body if X-Hub-Signature-256 is the app secret's HMAC of it."""
    expected = hmac.new(settings.FACEBOOK_APP_SECRET.encode(), body, hashlib.sha256).hexdigest()
    signature = headers.get("X-Hub-Signature-256", "")
    if not hmac.compare_digest(f"sha256={expected}".encode(), signature.encode()):
        return None
    return SignedEvent(document=body, payload=parse_leniently(body))


def challenge(query: Mapping[str, str]) -> str | None:
    """Return the challenge of a query that has our verify token; None without the token."""
    expected, token = settings.FACEBOOK_VERIFY_TOKEN, query.get("hub.verify_token", "")
    matches = hmac.compare_digest(expected.encode(), token.encode(errors="replace"))
    if not matches or query.get("hub.mode") != "subscribe":
        return None
    return query.get("hub.challenge", "")


def events(payload: dict[str, Any]) -> list[Event]:
    """Return the messages and postbacks in a payload; raise UnknownShape.

    Delivery and read receipts, reactions and echoes of our own messages are left out.
    """
    if "entry" not in payload and "sender" not in payload:
        raise UnknownShape("This is not an event of Facebook.")
    return list(filter(None, (_event(item, entry) for item, entry in _messaging(payload))))


def delivery(message: Message) -> Delivery:
    """Return the request to the Send API that delivers a reply."""
    token, secret = settings.FACEBOOK_PAGE_ACCESS_TOKEN, settings.FACEBOOK_APP_SECRET
    query = {"access_token": token}
    if secret:
        # Apps can be configured to require it.
        proof = hmac.new(secret.encode(), token.encode(), hashlib.sha256).hexdigest()
        query["appsecret_proof"] = proof
    return Delivery(
        url=f"{settings.FACEBOOK_GRAPH_URL}/me/messages",
        query=query,
        body={
            "recipient": {"id": message.conversation.external_id},
            "messaging_type": "RESPONSE",
            "message": {"text": message.text[:LONGEST_REPLY]},
        },
    )


def delivery_status(answer: Answer) -> DeliveryStatus:
    """Return what an answer of the Send API means."""
    error = part(answer.document, "error")
    may_pass = error.get("is_transient") is True or error.get("code") in _PASSING
    if may_pass and answer.status < 500:
        return DeliveryStatus.LATER
    return DeliveryStatus.of(answer)


def _messaging(payload: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield each event with its entry: the page that received it, and when Facebook sent it."""
    if "entry" not in payload:
        yield payload, part(payload, "recipient")
    for entry in parts(payload, "entry"):
        for item in parts(entry, "messaging"):
            yield item, entry


def _event(item: dict[str, Any], entry: dict[str, Any]) -> Event | None:
    message, postback = part(item, "message"), part(item, "postback")
    sender = part(item, "sender").get("id")
    if message.get("is_echo") or not sender:
        return None
    text = message.get("text") or postback.get("title") or _attachments(message)
    mid = message.get("mid") or postback.get("mid")
    # Postbacks have no id before version 11 of the API.
    sender_and_time = f"{sender}:{item['timestamp']}" if "timestamp" in item else ""
    return event(
        id=mid or sender_and_time,
        sender=sender,
        text=text,
        channel=entry.get("id"),
        sent_at=from_unix(entry.get("time") or item.get("timestamp")),
    )


def _attachments(message: dict[str, Any]) -> str:
    """Return words for attachments: "[image]"."""
    return " ".join(f"[{item.get('type', 'file')}]" for item in parts(message, "attachments"))


PLATFORM = WebhookPlatform(
    name=Platform.FACEBOOK,
    kind="webhook.facebook",
    route="conversations/webhooks/facebook",
    summary="Receive events of Facebook",
    signing_setting="FACEBOOK_APP_SECRET",
    signature_headers=("X-Hub-Signature-256",),
    verify=verify,
    verification=Verification(
        summary="Verify the webhook for Facebook",
        setting="FACEBOOK_VERIFY_TOKEN",
        parameters={
            "hub.mode": {"type": "string", "enum": ["subscribe"]},
            "hub.verify_token": {"type": "string"},
            "hub.challenge": {"type": "string"},
        },
        answer=challenge,
    ),
    payload=PAYLOAD,
    events=events,
    response_setting="FACEBOOK_PAGE_ACCESS_TOKEN",
    delivery=delivery,
    delivery_status=delivery_status,
)
