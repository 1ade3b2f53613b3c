"""Contract of a webhook platform: what its module in this folder declares as `PLATFORM`.

To add a platform, write its module, add its line to `analysis.models.Platform` and let
`makemigrations` write the migration for the new choice. The URL, the view, the kind and the
platforms that `/conversations/webhook-interaction` accepts follow from these.

Secrets stay settings: declare them in `taskproject/settings.py` and list them in `.env.example`.
Workers load the modules too, so they do not import rest_framework. The page of a task shows the
generic result unless the folder has a template named after the kind.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from analysis.models import Message, Platform
from analysis.webhooks.delivery import Answer, Delivery, DeliveryStatus
from analysis.webhooks.event import Event

Payload = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class SignedEvent:
    """What a platform has signed: nothing else of its request reaches the task."""

    # The bytes that the signature covers.
    document: bytes
    # The kind's payload, made of the document and of signed headers alone.
    payload: Any

    @property
    def digest(self) -> str:
        """The same for each delivery of the same bytes."""
        return hashlib.sha256(self.document).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Verification:
    """A GET request with which the platform checks that the address is ours."""

    summary: str
    # The name of the setting with the token that the request must repeat.
    setting: str
    # The JSON Schema of each parameter in the query; all are required.
    parameters: Mapping[str, Mapping[str, Any]]
    # Returns the text to answer, None when the token is wrong.
    answer: Callable[[Mapping[str, str]], str | None]


@dataclass(frozen=True, kw_only=True)
class WebhookPlatform:
    """A platform that posts signed events and to which replies are sent."""

    name: Platform
    # Literals, so that a search finds them.
    kind: str
    route: str

    # The endpoint. `summary` is its line in the OpenAPI document.
    summary: str
    # The name of the setting with the secret that events are signed with.
    signing_setting: str
    signature_headers: tuple[str, ...]
    # Takes the bytes of the body as received, and the headers. Returns None without a valid
    # signature, and must be cheap until it has found one; raises MalformedJSON for signed bytes.
    verify: Callable[[bytes, Mapping[str, str]], SignedEvent | None]
    verification: Verification | None = None
    # Returns the text that answers a POST of the platform's own check; None for every other body.
    handshake: Callable[[bytes], str | None] | None = None

    # Events: the JSON Schema of a body, and the messages in it.
    payload: Mapping[str, Any]
    # Raises UnknownShape.
    events: Callable[[Payload], list[Event]]

    # Replies. The name of the setting without which none can be sent.
    response_setting: str
    delivery: Callable[[Message], Delivery]
    delivery_status: Callable[[Answer], DeliveryStatus] = DeliveryStatus.of

    @property
    def can_respond(self) -> bool:
        """Whether replies can be sent to the platform."""
        return bool(getattr(settings, self.response_setting))
