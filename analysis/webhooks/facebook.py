"""Facebook Messenger: its webhook events (Messenger Platform), its signature, its Send API."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings

from analysis.models import Message, Platform
from analysis.webhooks.contract import Verification, WebhookPlatform
from analysis.webhooks.delivery import Answer, Letter, Verdict
from analysis.webhooks.event import Event, UnknownShape, event, part, parts

LONGEST_REPLY = 2_000
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


def verdict(answer: Answer) -> Verdict:
    """Say what an answer of the Send API means."""
    error = part(answer.document, "error")
    passes = error.get("is_transient") is True or error.get("code") in _PASSING
    return Verdict.LATER if answer.status < 500 and passes else Verdict.of(answer)


def challenge(query: Mapping[str, str]) -> str | None:
    """Return the challenge of a query that has our verify token."""
    known, given = settings.FACEBOOK_VERIFY_TOKEN, query.get("hub.verify_token", "")
    fits = hmac.compare_digest(known.encode(), given.encode(errors="replace"))
    return query.get("hub.challenge", "") if fits and query.get("hub.mode") == "subscribe" else None


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


PLATFORM = WebhookPlatform(
    name=Platform.FACEBOOK,
    kind="webhook.facebook",
    route="conversations/webhooks/facebook",
    summary="Take in Messenger's events",
    signing_setting="FACEBOOK_APP_SECRET",
    signature_headers=("X-Hub-Signature-256",),
    is_signed=is_signed,
    verification=Verification(
        summary="Prove to Facebook that this webhook is yours",
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
    letter=letter,
    verdict=verdict,
)
