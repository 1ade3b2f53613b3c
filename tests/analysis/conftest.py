"""Stand-ins for the services that kinds call: real HTTP servers on loopback."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.core.cache import cache
from pytest_django import Settings

from analysis.webhooks import google_token
from tests.fakes import openrouter, webhook_platform


@pytest.fixture
def provider(settings: Settings, db: None) -> Iterator[openrouter.Fake]:
    """Return a stand-in for the provider of language models, configured, with nothing cached."""
    cache.clear()
    with openrouter.Fake() as fake:
        settings.OPENROUTER_BASE_URL = fake.url
        settings.OPENROUTER_API_KEY = openrouter.KEY
        settings.OPENROUTER_TIMEOUT = 1.0
        yield fake
    cache.clear()


@pytest.fixture
def platforms(settings: Settings) -> Iterator[webhook_platform.Fake]:
    """Return a stand-in for the platforms, configured."""
    google_token._account.cache_clear()
    with webhook_platform.Fake() as fake:
        for name, value in fake.environment().items():
            setattr(settings, name, value)
        yield fake
    google_token._account.cache_clear()
