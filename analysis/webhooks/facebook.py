"""Facebook Messenger: its webhook events (Messenger Platform), its signature, its Send API."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings

from analysis.models import Message
from analysis.webhooks.delivery import Letter, Verdict
from analysis.webhooks.event import Event, UnknownShape, event, part, parts

LONGEST_REPLY = 2_000
NEEDED_TO_RESPOND = "FACEBOOK_PAGE_ACCESS_TOKEN"
# Errors of the Graph API that pass: its own faults, and limits of rate.
_PASSING = frozenset({1, 2, 4, 32, 341, 613, 80006})

PAYLOAD = {
    "type": "object",
    "description": "What Messenger posts, or one of the events in its `messaging`.",
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


def is_signed(body: bytes, headers: Mapping[str, str]) -> bool:
    """Tell whether X-Hub-Signature-256 is the app secret's HMAC of the body."""
    expected = hmac.new(settings.FACEBOOK_APP_SECRET.encode(), body, hashlib.sha256).hexdigest()
    given = headers.get("X-Hub-Signature-256", "")
    return hmac.compare_digest(f"sha256={expected}".encode(), given.encode())


def events(payload: dict[str, Any]) -> list[Event]:
    """Return the messages and postbacks in a payload; raise UnknownShape.

    Deliveries, reads, reactions and the echoes of what we said ourselves are none.
    """
    if "entry" not in payload and "sender" not in payload:
        raise UnknownShape("This is no event of Messenger.")
    return list(filter(None, (_event(one, page) for one, page in _messaging(payload))))


def letter(message: Message) -> Letter:
    """Return the call of the Send API that delivers a reply."""
    token, secret = settings.FACEBOOK_PAGE_ACCESS_TOKEN, settings.FACEBOOK_APP_SECRET
    query = {"access_token": token}
    if secret:
        # Apps may ask for it with every call.
        proof = hmac.new(secret.encode(), token.encode(), hashlib.sha256).hexdigest()
        query["appsecret_proof"] = proof
    return Letter(
        url=f"{settings.FACEBOOK_GRAPH_URL}/me/messages",
        query=query,
        body={
            "recipient": {"id": message.conversation.external_id},
            "messaging_type": "RESPONSE",
            "message": {"text": message.text[:LONGEST_REPLY]},
        },
    )


def verdict(status: int, answer: dict[str, Any]) -> Verdict:
    """Say what an answer of the Send API means."""
    error = part(answer, "error")
    if status < 500 and (error.get("is_transient") is True or error.get("code") in _PASSING):
        return Verdict.LATER
    return Verdict.of_status(status)


def _messaging(payload: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Any]]:
    if "entry" not in payload:
        yield payload, part(payload, "recipient").get("id")
    for entry in parts(payload, "entry"):
        for one in parts(entry, "messaging"):
            yield one, entry.get("id")


def _event(one: dict[str, Any], page: Any) -> Event | None:
    message, postback = part(one, "message"), part(one, "postback")
    sender = part(one, "sender").get("id")
    if message.get("is_echo") or not sender:
        return None
    text = message.get("text") or postback.get("title") or _attachments(message)
    mid = message.get("mid") or postback.get("mid")
    # Postbacks had no id of their own before version 11.
    when = f"{sender}:{one['timestamp']}" if "timestamp" in one else ""
    return event(id=mid or when, sender=sender, text=text, channel=page)


def _attachments(message: dict[str, Any]) -> str:
    """Say in words what was sent without any."""
    return " ".join(f"[{one.get('type', 'file')}]" for one in parts(message, "attachments"))
