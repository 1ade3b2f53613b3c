"""Signed events, as the platforms send them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from standardwebhooks import Webhook

FACEBOOK_APP_SECRET = "fake-app-secret"
GOOGLE_CLIENT_TOKEN = "fake-client-token"
GENERIC_WEBHOOK_SECRET = "whsec_" + base64.b64encode(b"the generic platform's secret").decode()

PAGE, AGENT = "1029384756", "fake_agent"


@dataclass(frozen=True)
class SignedEvent:
    """One request of a platform: the bytes of its body, and the headers with the signature."""

    platform: str
    body: bytes
    headers: dict[str, str]


def signed(platform: str, payload: Any, *, id: str = "") -> SignedEvent:
    """Sign a payload as its platform does; of Google's, the encoded message is signed."""
    if platform != "google":
        return signed_bytes(platform, json.dumps(payload).encode(), id=id)
    event = signed_bytes(platform, base64.b64decode(payload["message"]["data"]))
    return replace(event, body=json.dumps(payload).encode())


def signed_bytes(
    platform: str, document: bytes, *, id: str = "", at: float | None = None
) -> SignedEvent:
    """Sign a document, JSON or not, as its platform does."""
    sign = {"facebook": _facebook, "google": _google, "generic": _generic}[platform]
    signature = sign(document, id or new_id(), at or time.time())
    body = document
    if platform == "google":
        body = json.dumps(_envelope(document)).encode()
    return SignedEvent(platform, body, {"Content-Type": "application/json", **signature})


def message(
    platform: str, text: str, *, sender: str, id: str = "", at: float | None = None
) -> SignedEvent:
    """Return the event of a user's message, sent now or `at` a time."""
    id, at = id or new_id(), at or time.time()
    make = {"facebook": facebook, "google": google_message, "generic": generic}[platform]
    document = make(text, sender=sender, id=id, at=at)
    return signed_bytes(platform, json.dumps(document).encode(), id=id, at=at)


def new_id() -> str:
    """Return an unused id of an event."""
    return f"m_{uuid.uuid4().hex}"


def facebook(
    text: str, *, sender: str, id: str, at: float | None = None, **more: Any
) -> dict[str, Any]:
    """Return the body of Facebook's `messages` event."""
    now = int((at or time.time()) * 1000)
    messaging = {
        "sender": {"id": sender},
        "recipient": {"id": PAGE},
        "timestamp": now,
        "message": {"mid": id, "text": text, **more},
    }
    return {"object": "page", "entry": [{"id": PAGE, "time": now, "messaging": [messaging]}]}


def google_message(text: str, *, sender: str, id: str, at: float | None = None) -> dict[str, Any]:
    """Return a UserMessage of RCS for Business."""
    return {
        "senderPhoneNumber": sender,
        "messageId": id,
        "sendTime": datetime.fromtimestamp(at or time.time(), UTC).isoformat(),
        "agentId": AGENT,
        "text": text,
    }


def google(text: str, *, sender: str, id: str) -> dict[str, Any]:
    """Return the body of an event of RCS for Business: the message, encoded in an envelope."""
    return enveloped(google_message(text, sender=sender, id=id))


def enveloped(message: dict[str, Any]) -> dict[str, Any]:
    """Return Google's envelope of a message."""
    return _envelope(json.dumps(message).encode())


def _envelope(document: bytes) -> dict[str, Any]:
    data = base64.b64encode(document).decode()
    return {
        "message": {"data": data, "messageId": "1", "attributes": {"message_type": "TEXT"}},
        "subscription": "projects/fake/subscriptions/rbm",
    }


def generic(text: str, *, sender: str, id: str, at: float | None = None) -> dict[str, Any]:
    """Return the body of an event of the generic platform; its time is in a header."""
    return {"id": id, "conversation_id": sender, "message": text}


def _facebook(document: bytes, id: str, at: float) -> dict[str, str]:
    digest = hmac.new(FACEBOOK_APP_SECRET.encode(), document, hashlib.sha256).hexdigest()
    return {"X-Hub-Signature-256": f"sha256={digest}"}


def _google(document: bytes, id: str, at: float) -> dict[str, str]:
    digest = hmac.new(GOOGLE_CLIENT_TOKEN.encode(), document, hashlib.sha512).digest()
    return {"X-Goog-Signature": base64.b64encode(digest).decode()}


def _generic(document: bytes, id: str, at: float) -> dict[str, str]:
    moment = datetime.fromtimestamp(at, UTC)
    return {
        "webhook-id": id,
        "webhook-timestamp": str(int(at)),
        "webhook-signature": Webhook(GENERIC_WEBHOOK_SECRET).sign(id, moment, document.decode()),
    }
