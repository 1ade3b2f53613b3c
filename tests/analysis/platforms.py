"""Requests of the platforms to their webhooks."""

from __future__ import annotations

from typing import Any

from rest_framework.test import APIClient

from tests.fakes.platform_events import SignedEvent


def send(api: APIClient, event: SignedEvent, *, slash: str = "", **headers: str) -> Any:
    """Send an event to the webhook of its platform; `headers` replace those of the event."""
    all_headers = {**event.headers, **headers}
    content_type = all_headers.pop("Content-Type")
    return api.post(
        f"/conversations/webhooks/{event.platform}{slash}",
        event.body,
        content_type=content_type,
        headers=all_headers,
    )
