"""The language model's provider for tests: a real HTTP server on loopback."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
from django.core.cache import cache
from django.db import connection
from pytest_django import Settings

from analysis.llm import model
from analysis.llm.answers import Answer
from tasks.kinds import Context
from tests.factories import make_context
from tests.fakes.openrouter import KEY, Fake


@pytest.fixture
def provider(settings: Settings, db: None) -> Iterator[Fake]:
    """Return a stand-in for the provider, configured, with nothing cached."""
    cache.clear()
    with Fake() as fake:
        settings.OPENROUTER_BASE_URL = fake.url
        settings.OPENROUTER_API_KEY = KEY
        settings.OPENROUTER_TIMEOUT = 1.0
        yield fake
    cache.clear()


def context(soft_time_limit: float = 120) -> Context:
    """Return the context of an attempt that nobody else knows of."""
    return make_context(soft_time_limit=soft_time_limit)


def ask(text: str, *, of: Context | None = None) -> Answer:
    """Ask the model about a text."""
    messages = [{"role": "user", "content": text}]
    return model.ask(messages, max_tokens=50, context=of or context())


def in_threads(number: int, work: Callable[[], object]) -> list[object]:
    """Do something at the same time in so many threads, each with a connection of its own."""
    results: list[object] = []
    barrier = threading.Barrier(number)

    def body() -> None:
        barrier.wait()
        try:
            results.append(work())
        except Exception as error:
            results.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=body) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
