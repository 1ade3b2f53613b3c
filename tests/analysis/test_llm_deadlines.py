"""When a call to the language model ends: at its deadline, its task's soft limit or its cancel."""

from __future__ import annotations

import threading
import time

import pytest
from pytest_django import Settings

from analysis.llm import errors
from analysis.llm.errors import ModelUnavailable
from tasks.kinds import Cancel, SoftTimeLimitExceeded
from tests.analysis.llm import answer
from tests.factories import make_context
from tests.fakes.openrouter import Fake

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("do", ["hang", "drip", "drip headers"])
def test_a_call_ends_at_its_deadline_even_while_bytes_arrive(provider: Fake, do: str) -> None:
    provider.behaviour = do
    began = time.monotonic()
    with pytest.raises(ModelUnavailable, match=errors.TIMED_OUT):
        answer("anything")
    assert 0.9 < time.monotonic() - began < 3


@pytest.mark.parametrize("do", ["hang", "drip"])
def test_a_cancelled_task_ends_its_call(provider: Fake, settings: Settings, do: str) -> None:
    settings.OPENROUTER_TIMEOUT = 60
    provider.behaviour = do
    running = make_context()
    threading.Timer(0.3, setattr, (running, "cancelled", True)).start()
    began = time.monotonic()
    with pytest.raises(Cancel):
        answer("anything", context=running)
    assert time.monotonic() - began < 5


def test_a_call_does_not_outlast_the_soft_limit(provider: Fake, settings: Settings) -> None:
    settings.OPENROUTER_TIMEOUT = 60
    provider.behaviour = "hang"
    with pytest.raises(SoftTimeLimitExceeded):
        answer("anything", context=make_context(soft_time_limit=0.5))
