"""The generic platform: a plain shape for whatever has none of its own, by Standard Webhooks.

In comes `{"id", "conversation_id", "message"}`; out goes, signed with the same secret, a
`message.created` whose data has the `conversation_id` and the `message`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from django.conf import settings
from django.utils import timezone
from standardwebhooks import Webhook, WebhookVerificationError

from analysis.models import Message, Platform
from analysis.webhooks.contract import WebhookPlatform
from analysis.webhooks.delivery import Letter
from analysis.webhooks.event import Event, UnknownShape, event, part

ID_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")
_TEXTS = ("message", "text")
_SENDERS = ("conversation_id", "sender_id", "user_id", "sender")

_TEXT = {"anyOf": [{"type": "string"}, {"type": "object", "required": ["text"]}]}
_FIELDS = {
    "properties": {
        "id": {"type": ["string", "integer"], "description": "Told twice, it is done once."},
        "conversation_id": {
            "type": ["string", "integer"],
            "description": "Or `sender_id`, `user_id`, `sender`.",
        },
        "message": {**_TEXT, "description": "Or `text`."},
        "text": _TEXT,
    },
    "anyOf": [{"required": [text]} for text in _TEXTS],
}
PAYLOAD = {
    "type": "object",
    "description": "A message, or an event of Standard Webhooks with one as its `data`.",
    "anyOf": [
        _FIELDS,
        {"required": ["data"], "properties": {"data": {"type": "object", **_FIELDS}}},
    ],
}


def is_signed(body: bytes, headers: Mapping[str, str]) -> bool:
    """Tell whether the message is signed with our secret, and not long ago."""
    wanted = {name: headers.get(name, "") for name in ID_HEADERS}
    try:
        Webhook(settings.GENERIC_WEBHOOK_SECRET).verify(body, wanted, json_parse=False)
    except (WebhookVerificationError, ValueError):
        # ValueError: a signature that is no such thing, or a body that is no text.
        return False
    return True


def events(payload: dict[str, Any]) -> list[Event]:
    """Return the message in a payload; raise UnknownShape."""
    told = part(payload, "data") or payload
    sender = next((told[key] for key in _SENDERS if told.get(key)), "")
    text = next((told[key] for key in _TEXTS if told.get(key)), "")
    text = text.get("text") if isinstance(text, dict) else text
    found = event(id=told.get("id") or payload.get("id"), sender=sender, text=text)
    if found is None:
        raise UnknownShape("There is no message in it.")
    return [found]


def with_id(payload: dict[str, Any], headers: Mapping[str, str]) -> dict[str, Any]:
    """Return a payload that has an id: its own, or else that of the header `webhook-id`.

    By the standard, an event that is sent again has the same one.
    """
    own = part(payload, "data").get("id") or payload.get("id")
    return payload if own else {**payload, "id": headers["webhook-id"]}


def letter(message: Message) -> Letter:
    """Return the signed message that delivers a reply; its id tells a repetition."""
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
    return Letter(url=settings.GENERIC_RESPONSE_URL, headers=headers, body=body)


PLATFORM = WebhookPlatform(
    name=Platform.GENERIC,
    kind="webhook.generic",
    route="conversations/webhooks/generic",
    summary="Take in events by Standard Webhooks",
    signing_setting="GENERIC_WEBHOOK_SECRET",
    signature_headers=ID_HEADERS,
    is_signed=is_signed,
    payload=PAYLOAD,
    with_id=with_id,
    events=events,
    response_setting="GENERIC_RESPONSE_URL",
    letter=letter,
)
