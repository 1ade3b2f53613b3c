"""Events that the platforms send to their webhooks."""

from __future__ import annotations

from typing import Any

from rest_framework.test import APIClient

from tests.fakes.platform_events import Delivery


def sent(api: APIClient, delivery: Delivery, *, slash: str = "", **headers: str) -> Any:
    """Send a platform's event to its address."""
    given = {**delivery.headers, **headers}
    type = given.pop("Content-Type")
    return api.post(
        f"/conversations/webhooks/{delivery.platform}{slash}",
        delivery.body,
        content_type=type,
        headers=given,
    )
