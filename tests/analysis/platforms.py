"""The platforms for tests: a real HTTP server on loopback, and what they are told to expect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from analysis.webhooks import google_token
from tests.fakes.platform_events import Delivery
from tests.fakes.webhook_platform import Fake


@pytest.fixture
def platforms(settings: Settings) -> Iterator[Fake]:
    """Return stand-ins for the platforms, configured."""
    google_token._account.cache_clear()
    with Fake() as fake:
        for name, value in fake.environment().items():
            setattr(settings, name, value)
        yield fake
    google_token._account.cache_clear()


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
