"""Google RCS for Business, what Google offers businesses for conversations with their customers.

Business Messages, which had this place, was shut down in 2024; its partners were sent here, and
webhooks are signed as they were there. (Google Chat is for talk among colleagues.)
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from django.conf import settings

from analysis.models import Message, Platform
from analysis.webhooks import google_token
from analysis.webhooks.contract import WebhookPlatform
from analysis.webhooks.delivery import Letter
from analysis.webhooks.event import Event, UnknownShape, event, part

LONGEST_REPLY = 3_072

PAYLOAD = {
    "type": "object",
    "description": "What RCS for Business posts, or the UserMessage that is encoded in it.",
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


def is_signed(body: bytes, headers: Mapping[str, str]) -> bool:
    """Tell whether X-Goog-Signature is the client token's HMAC of the encoded message."""
    try:
        data = _data(json.loads(body))
    except (UnknownShape, ValueError, RecursionError):
        return False
    digest = hmac.new(settings.GOOGLE_CLIENT_TOKEN.encode(), data, hashlib.sha512).digest()
    given = headers.get("X-Goog-Signature", "")
    return hmac.compare_digest(base64.b64encode(digest), given.encode())


def handshake(body: Any) -> str | None:
    """Return what proves that the webhook is ours, when this is Google asking; else None."""
    match body:
        case {"clientToken": str() as token, "secret": str() as secret}:
            known = settings.GOOGLE_CLIENT_TOKEN
            return secret if hmac.compare_digest(known.encode(), token.encode()) else None
    return None


def events(payload: dict[str, Any]) -> list[Event]:
    """Return the message in a payload, if it holds one; raise UnknownShape.

    Receipts ("delivered", "read") and signs of typing are none.
    """
    told = payload if "senderPhoneNumber" in payload else _decoded(payload)
    sender, id = told.get("senderPhoneNumber"), told.get("messageId")
    suggestion = part(told, "suggestionResponse")
    text = told.get("text") or suggestion.get("text") or _without_words(told)
    # The id is the sender's telephone's: unique together with the number.
    whole = f"{sender}:{id}" if id else ""
    found = event(id=whole, sender=sender, text=text, channel=told.get("agentId"))
    return [found] if found else []


def letter(message: Message) -> Letter:
    """Return the call that delivers a reply; Google ignores one with an id that it knows."""
    conversation = message.conversation
    phone = quote(conversation.external_id, safe="")
    return Letter(
        url=f"{settings.GOOGLE_RCS_URL}/v1/phones/{phone}/agentMessages",
        query={"messageId": str(message.pk), "agentId": conversation.channel},
        headers={"Authorization": f"Bearer {google_token.current()}"},
        body={"contentMessage": {"text": message.text[:LONGEST_REPLY]}},
    )


def _decoded(payload: dict[str, Any]) -> dict[str, Any]:
    try:
        told = json.loads(_data(payload))
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise UnknownShape("This is no event of RCS for Business.")
    return told


def _data(payload: Any) -> bytes:
    data = part(payload, "message").get("data")
    try:
        return base64.b64decode(data if isinstance(data, str) else "", validate=True)
    except ValueError:
        raise UnknownShape("This is no event of RCS for Business.") from None


def _without_words(told: dict[str, Any]) -> str:
    """Say in words what was sent without any."""
    return next((f"[{kind}]" for kind in ("userFile", "location") if told.get(kind)), "")


PLATFORM = WebhookPlatform(
    name=Platform.GOOGLE,
    kind="webhook.google",
    route="conversations/webhooks/google",
    summary="Take in the events of RCS for Business",
    signing_setting="GOOGLE_CLIENT_TOKEN",
    signature_headers=("X-Goog-Signature",),
    is_signed=is_signed,
    handshake=handshake,
    payload=PAYLOAD,
    events=events,
    response_setting="GOOGLE_SERVICE_ACCOUNT_FILE",
    letter=letter,
)
