"""Forgeries: what the holder of one genuine delivery of a platform can make of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace

from tests.fakes import platform_events as events
from tests.fakes.platform_events import SignedEvent

FORGED = "Forged"
_FORM = "application/x-www-form-urlencoded"
# The event that a forger would like to be acted upon, as an unsigned part of a request.
_FIELDS = {"senderPhoneNumber": "+666", "messageId": "forged", "text": FORGED, "agentId": "evil"}
_MESSAGING = [{"sender": {"id": "666"}, "message": {"mid": "forged", "text": FORGED}}]


@dataclass(frozen=True)
class Forgery:
    """One way to forge a request; it is answered with the status, and must start nothing."""

    platform: str
    name: str
    status: int
    of: Callable[[SignedEvent], SignedEvent]

    def __str__(self) -> str:
        return f"{self.platform}: {self.name}"


def _body(change: Callable[[bytes], bytes]) -> Callable[[SignedEvent], SignedEvent]:
    return lambda genuine: replace(genuine, body=change(genuine.body))


def _headers(**changed: str) -> Callable[[SignedEvent], SignedEvent]:
    headers = {name.replace("_", "-"): value for name, value in changed.items()}
    return lambda genuine: replace(genuine, headers={**genuine.headers, **headers})


def _beside(**members: object) -> Callable[[SignedEvent], SignedEvent]:
    """Add members to the body's object, or replace them."""
    return _body(lambda body: json.dumps({**json.loads(body), **members}).encode())


def _in_front(member: str) -> Callable[[SignedEvent], SignedEvent]:
    return _body(lambda body: b"{" + member.encode() + b", " + body[1:])


def _behind(member: str) -> Callable[[SignedEvent], SignedEvent]:
    return _body(lambda body: body[:-1] + b", " + member.encode() + b"}")


def _with_other_signature(genuine: SignedEvent) -> SignedEvent:
    other = events.message(genuine.platform, "Another", sender="8")
    return replace(genuine, body=other.body)


def _to(platform: str) -> Callable[[SignedEvent], SignedEvent]:
    return lambda genuine: replace(genuine, platform=platform)


def _again(genuine: SignedEvent) -> SignedEvent:
    return genuine


def _in_message(**members: object) -> Callable[[SignedEvent], SignedEvent]:
    def change(body: bytes) -> bytes:
        envelope = json.loads(body)
        return json.dumps({**envelope, "message": {**envelope["message"], **members}}).encode()

    return _body(change)


_ENVELOPE = json.dumps(events.enveloped(_FIELDS)["message"])

FORGERIES = [
    *(
        Forgery(platform, name, status, of)
        for platform in ("facebook", "google", "generic")
        for name, status, of in (
            ("sent again", 200, _again),
            ("sent again as a form", 200, _headers(Content_Type=_FORM)),
            ("sent again with unsigned headers", 200, _headers(X_Id="forged", Date="now")),
            ("another event under its signature", 401, _with_other_signature),
        )
    ),
    Forgery("facebook", "a member added", 401, _beside(entry=[{"messaging": _MESSAGING}])),
    Forgery("facebook", "a member with the same name", 401, _behind('"entry": []')),
    Forgery("facebook", "a space added", 401, _body(lambda body: body + b" ")),
    Forgery("facebook", "the old signature alone", 401, _headers(X_Hub_Signature_256="")),
    Forgery("facebook", "sent to another platform", 401, _to("generic")),
    Forgery("google", "fields of a message added", 200, _beside(**_FIELDS)),
    Forgery("google", "the envelope changed", 200, _in_message(messageId="2", attributes=_FIELDS)),
    Forgery("google", "another message in front", 200, _in_front(f'"message": {_ENVELOPE}')),
    Forgery("google", "another message behind", 401, _behind(f'"message": {_ENVELOPE}')),
    Forgery("google", "other data", 401, _in_message(data=json.loads(_ENVELOPE)["data"])),
    Forgery("google", "no data", 401, _in_message(data="")),
    Forgery("google", "a handshake added", 200, _beside(clientToken="guessed", secret="s")),
    Forgery("google", "a number out of range added", 200, _behind('"n": 1e999')),
    Forgery("google", "sent to another platform", 401, _to("facebook")),
    Forgery("generic", "a member added", 401, _beside(message=FORGED)),
    Forgery("generic", "another id", 401, _headers(webhook_id="forged")),
    Forgery("generic", "another time", 401, _headers(webhook_timestamp="1")),
    Forgery("generic", "another version of the signature", 401, _headers(webhook_signature="v0,A")),
]  # fmt: skip
