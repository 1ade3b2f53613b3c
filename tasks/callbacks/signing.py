"""Signatures that prove to a receiver who sent a callback (Standard Webhooks)."""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Sequence

from django.conf import settings
from django.utils.crypto import salted_hmac
from standardwebhooks import Webhook


def secrets_of(owner_id: int | None) -> list[str]:
    """Return the secrets that an owner's callbacks are signed with, the current one first.

    Each owner has their own, so that no owner can forge callbacks to another. They are derived from
    CALLBACK_SECRET: from two of them, the new one first, while receivers change to the new one.
    """
    # The secrets of receivers depend on this text: it must not change.
    owner = "nobody" if owner_id is None else str(owner_id)
    return [_derived(secret, owner) for secret in settings.CALLBACK_SECRETS]


def alert_secrets() -> list[str]:
    """Return the secrets that messages about alerts are signed with, the current one first."""
    # No owner has this id; the secrets of receivers depend on it.
    return [_derived(secret, "alerts") for secret in settings.CALLBACK_SECRETS]


def signed_headers(
    *, message_id: str, body: str, secrets: Sequence[str], now: dt.datetime
) -> dict[str, str]:
    """Return the headers with the message's id, the time of sending, and the signatures."""
    signatures = [
        Webhook(secret).sign(msg_id=message_id, timestamp=now, data=body) for secret in secrets
    ]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def _derived(secret: str, owner: str) -> str:
    key = salted_hmac("tasks.callbacks", owner, secret=secret, algorithm="sha256").digest()
    return f"whsec_{base64.b64encode(key).decode()}"
