"""Google RCS for Business: Google's service for conversations of businesses with customers.

It replaces Business Messages, which Google shut down in 2024; webhooks are signed as they were
there. (Google Chat is for conversations among colleagues.)
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from django.conf import settings

from analysis.models import Message, Platform
from analysis.webhooks import google_token
from analysis.webhooks.contract import SignedEvent, WebhookPlatform
from analysis.webhooks.delivery import Delivery
from analysis.webhooks.event import Event, UnknownShape, event, from_iso, part
from analysis.webhooks.lenient_json import parse_leniently
from tasks.strict_json import MalformedJSON, measure

LONGEST_REPLY = 3_072
_LONGEST_HANDSHAKE = 4_096

PAYLOAD = {
    "type": "object",
    "description": "The body that RCS for Business posts, or the UserMessage encoded in it.",
    "anyOf": [
        {
            "required": ["message"],
            "properties": {
                "message": {
                    "type": "object",
                    "properties": {"data": {"type": "string"}},
                    "required": ["data"],
                }
            },
        },
        {
            "required": ["senderPhoneNumber"],
            "properties": {"senderPhoneNumber": {"type": "string"}},
        },
    ],
}


def verify(body: bytes, headers: Mapping[str, str]) -> SignedEvent | None:
    """Return the message in the body if X-Goog-Signature is the client token's HMAC of it.

    The rest of the body is not signed.
    """
    data, signature = _data(_unsigned(body)), headers.get("X-Goog-Signature", "")
    if not data:
        return None
    digest = hmac.new(settings.GOOGLE_CLIENT_TOKEN.encode(), data, hashlib.sha512).digest()
    if not hmac.compare_digest(base64.b64encode(digest), signature.encode()):
        return None
    # Events of all kinds pass: Google would hold those of other agents behind a refused one.
    return SignedEvent(
        document=data, payload={"message": {"data": base64.b64encode(data).decode()}}
    )


def handshake(body: bytes) -> str | None:
    """Return the secret of Google's request to prove that the webhook is ours, else None."""
    if len(body) > _LONGEST_HANDSHAKE:
        return None
    match _unsigned(body):
        case {"clientToken": str() as token, "secret": str() as secret}:
            expected = settings.GOOGLE_CLIENT_TOKEN
            return secret if hmac.compare_digest(expected.encode(), token.encode()) else None
    return None


def events(payload: dict[str, Any]) -> list[Event]:
    """Return the message in a payload, if it holds one; raise UnknownShape.

    Receipts ("delivered", "read") and signs of typing are left out.
    """
    fields = _decoded(payload) if "message" in payload else payload
    sender, id = fields.get("senderPhoneNumber"), fields.get("messageId")
    suggestion = part(fields, "suggestionResponse")
    text = fields.get("text") or suggestion.get("text") or _attachment(fields)
    # The sender's telephone makes the id, so it is unique together with the number.
    unique_id = f"{sender}:{id}" if id else ""
    message = event(
        id=unique_id,
        sender=sender,
        text=text,
        channel=fields.get("agentId"),
        sent_at=from_iso(fields.get("sendTime")),
    )
    return [message] if message else []


def delivery(message: Message) -> Delivery:
    """Return the request that delivers a reply; Google ignores an id that it has had before."""
    conversation = message.conversation
    phone = quote(conversation.external_id, safe="")
    return Delivery(
        url=f"{settings.GOOGLE_RCS_URL}/v1/phones/{phone}/agentMessages",
        query={"messageId": str(message.pk), "agentId": conversation.channel},
        headers={"Authorization": f"Bearer {google_token.current()}"},
        body={"contentMessage": {"text": message.text[:LONGEST_REPLY]}},
    )


def _decoded(payload: dict[str, Any]) -> dict[str, Any]:
    try:
        fields = parse_leniently(_data(payload))
    except MalformedJSON:
        fields = None
    if not isinstance(fields, dict):
        raise UnknownShape("This is not an event of RCS for Business.")
    return fields


def _data(payload: Any) -> bytes:
    """Return the encoded message; empty if there is none."""
    data = part(payload, "message").get("data")
    try:
        return base64.b64decode(data if isinstance(data, str) else "", validate=True)
    except ValueError:
        return b""


def _unsigned(body: bytes) -> Any:
    """Return the value of a body of which nothing is known; None if it is not small JSON."""
    try:
        measure(body)
        return parse_leniently(body)
    except MalformedJSON:
        return None


def _attachment(fields: dict[str, Any]) -> str:
    """Return words for what was sent without a text: "[location]"."""
    return next((f"[{name}]" for name in ("userFile", "location") if fields.get(name)), "")


PLATFORM = WebhookPlatform(
    name=Platform.GOOGLE,
    kind="webhook.google",
    route="conversations/webhooks/google",
    summary="Receive events of Google",
    signing_setting="GOOGLE_CLIENT_TOKEN",
    signature_headers=("X-Goog-Signature",),
    verify=verify,
    handshake=handshake,
    payload=PAYLOAD,
    events=events,
    response_setting="GOOGLE_SERVICE_ACCOUNT_FILE",
    delivery=delivery,
)
