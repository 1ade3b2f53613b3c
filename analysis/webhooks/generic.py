"""Generic platform: a plain shape for platforms without a module here, by Standard Webhooks.

It receives `{"id", "conversation_id", "message"}` and sends, signed with the same secret, a
`message.created` event: its data has the `conversation_id` and the `message`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from django.conf import settings
from django.utils import timezone
from standardwebhooks import Webhook, WebhookVerificationError

from analysis.models import Message, Platform
from analysis.webhooks.contract import SignedEvent, WebhookPlatform
from analysis.webhooks.delivery import Delivery
from analysis.webhooks.event import Event, UnknownShape, event, part
from analysis.webhooks.lenient_json import parse_leniently

SIGNATURE_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")
_TEXTS = ("message", "text")
_SENDERS = ("conversation_id", "sender_id", "user_id", "sender")

_TEXT = {"anyOf": [{"type": "string"}, {"type": "object", "required": ["text"]}]}
_FIELDS = {
    "properties": {
        "id": {
            "type": ["string", "integer"],
            "description": "An event whose id was already received is ignored.",
        },
        "conversation_id": {
            "type": ["string", "integer"],
            "description": "This field may also be named `sender_id`, `user_id` or `sender`.",
        },
        "message": {**_TEXT, "description": "This field may also be named `text`."},
        "text": _TEXT,
    },
    "anyOf": [{"required": [text]} for text in _TEXTS],
}
PAYLOAD = {
    "type": "object",
    "description": "A message, or an event in the Standard Webhooks format with a message as its"
    " `data`.",
    "anyOf": [
        _FIELDS,
        {"required": ["data"], "properties": {"data": {"type": "object", **_FIELDS}}},
    ],
}


def verify(body: bytes, headers: Mapping[str, str]) -> SignedEvent | None:
    """Return the body if it is signed with our secret, and not long ago.

    By the standard, `webhook-id` is signed as well and the same when an event is sent again: it is
    the event's id where the body has none.
    """
    signature = {name: headers.get(name, "") for name in SIGNATURE_HEADERS}
    try:
        Webhook(settings.GENERIC_WEBHOOK_SECRET).verify(body, signature, json_parse=False)
    except (WebhookVerificationError, ValueError):
        # ValueError: the signature is not base64, or the body is not UTF-8.
        return None
    payload = parse_leniently(body)
    if isinstance(payload, dict) and not (part(payload, "data").get("id") or payload.get("id")):
        payload["id"] = signature["webhook-id"]
    return SignedEvent(document=body, payload=payload)


def events(payload: dict[str, Any]) -> list[Event]:
    """Return the message in a payload; raise UnknownShape."""
    fields = part(payload, "data") or payload
    sender = next((fields[key] for key in _SENDERS if fields.get(key)), "")
    text = next((fields[key] for key in _TEXTS if fields.get(key)), "")
    text = text.get("text") if isinstance(text, dict) else text
    message = event(id=fields.get("id") or payload.get("id"), sender=sender, text=text)
    if message is None:
        raise UnknownShape("The event has no message.")
    return [message]


def delivery(message: Message) -> Delivery:
    """Return the signed request that delivers a reply; a repeated one has the same id."""
    now = timezone.now()
    body = {
        "type": "message.created",
        "timestamp": message.created_at.isoformat(),
        "data": {
            "message_id": str(message.pk),
            "conversation_id": message.conversation.external_id or str(message.conversation_id),
            "message": message.text,
        },
    }
    headers = {"webhook-id": str(message.pk), "webhook-timestamp": str(int(now.timestamp()))}
    if settings.GENERIC_WEBHOOK_SECRET:
        headers["webhook-signature"] = Webhook(settings.GENERIC_WEBHOOK_SECRET).sign(
            msg_id=str(message.pk), timestamp=now, data=orjson.dumps(body).decode()
        )
    return Delivery(url=settings.GENERIC_RESPONSE_URL, headers=headers, body=body)


PLATFORM = WebhookPlatform(
    name=Platform.GENERIC,
    kind="webhook.generic",
    route="conversations/webhooks/generic",
    summary="Receive events in the Standard Webhooks format",
    signing_setting="GENERIC_WEBHOOK_SECRET",
    signature_headers=SIGNATURE_HEADERS,
    verify=verify,
    payload=PAYLOAD,
    events=events,
    response_setting="GENERIC_RESPONSE_URL",
    delivery=delivery,
)
