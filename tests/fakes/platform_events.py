"""Signed events, as the platforms send them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import uuid
from dataclasses import dataclass
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
    """Sign a payload as its platform does."""
    body = json.dumps(payload).encode()
    sign = {"facebook": _facebook, "google": _google, "generic": _generic}[platform]
    headers = {"Content-Type": "application/json", **sign(body, payload, id or new_id())}
    return SignedEvent(platform, body, headers)


def message(platform: str, text: str, *, sender: str, id: str = "") -> SignedEvent:
    """Return the event of a user's message."""
    id = id or new_id()
    make = {"facebook": facebook, "google": google, "generic": generic}[platform]
    return signed(platform, make(text, sender=sender, id=id), id=id)


def new_id() -> str:
    """Return an unused id of an event."""
    return f"m_{uuid.uuid4().hex}"


def facebook(text: str, *, sender: str, id: str, **more: Any) -> dict[str, Any]:
    """Return the body of Facebook's `messages` event."""
    now = int(time.time() * 1000)
    messaging = {
        "sender": {"id": sender},
        "recipient": {"id": PAGE},
        "timestamp": now,
        "message": {"mid": id, "text": text, **more},
    }
    return {"object": "page", "entry": [{"id": PAGE, "time": now, "messaging": [messaging]}]}


def google_message(text: str, *, sender: str, id: str) -> dict[str, Any]:
    """Return a UserMessage of RCS for Business."""
    return {
        "senderPhoneNumber": sender,
        "messageId": id,
        "sendTime": datetime.now(UTC).isoformat(),
        "agentId": AGENT,
        "text": text,
    }


def google(text: str, *, sender: str, id: str) -> dict[str, Any]:
    """Return the body of an event of RCS for Business: the message, encoded in an envelope."""
    return enveloped(google_message(text, sender=sender, id=id))


def enveloped(message: dict[str, Any]) -> dict[str, Any]:
    """Return Google's envelope of a message."""
    data = base64.b64encode(json.dumps(message).encode()).decode()
    return {
        "message": {"data": data, "messageId": "1", "attributes": {"message_type": "TEXT"}},
        "subscription": "projects/fake/subscriptions/rbm",
    }


def generic(text: str, *, sender: str, id: str) -> dict[str, Any]:
    """Return the body of an event of the generic platform."""
    return {"id": id, "conversation_id": sender, "message": text}


def _facebook(body: bytes, payload: Any, id: str) -> dict[str, str]:
    digest = hmac.new(FACEBOOK_APP_SECRET.encode(), body, hashlib.sha256).hexdigest()
    return {"X-Hub-Signature-256": f"sha256={digest}"}


def _google(body: bytes, payload: Any, id: str) -> dict[str, str]:
    data = base64.b64decode(payload["message"]["data"])
    digest = hmac.new(GOOGLE_CLIENT_TOKEN.encode(), data, hashlib.sha512).digest()
    return {"X-Goog-Signature": base64.b64encode(digest).decode()}


def _generic(body: bytes, payload: Any, id: str) -> dict[str, str]:
    now = datetime.now(UTC)
    return {
        "webhook-id": id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(GENERIC_WEBHOOK_SECRET).sign(id, now, body.decode()),
    }
