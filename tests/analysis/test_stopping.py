"""Long work in threads notices within a second that its task should stop."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from pytest_django import Settings

from analysis.models import Conversation, Message, Role
from tasks import kinds
from tasks.kinds import Cancel, Context
from tests.factories import make_context
from tests.growth.texts import SHAPES

pytestmark = pytest.mark.django_db

WORDS = SHAPES["distinct words"]
Input = Callable[[], dict[str, Any]]


def _conversations() -> dict[str, Any]:
    for _ in range(30):
        conversation = Conversation.objects.create(external_id=str(uuid4()))
        Message.objects.create(
            conversation=conversation,
            role=Role.USER,
            text=WORDS(40_000),
            task_id=conversation.pk,
        )
    return {}


def _events() -> dict[str, Any]:
    events = [
        {"sender": {"id": "7"}, "message": {"mid": str(uuid4()), "text": "Hi"}} for _ in range(300)
    ]
    return {"payload": {"entry": [{"id": "1", "messaging": events}]}}


LONG: dict[str, Input] = {
    "text.analyze": lambda: {"text": WORDS(2_000_000)},
    "text.summarize": lambda: {"content": WORDS(200_000)},
    "conversation.batch_analysis": _conversations,
    "vectors.index": lambda: {"vector_data": [[1.0, 2.0]] * 1_000},
    "webhook.facebook": _events,
}


class _Watched(Context):
    """A context that measures the processor time between checks, and may be cancelled at one."""

    checks = 0
    longest = 0.0
    cancel_at: int | None = None
    since = 0.0

    def check(self) -> None:
        now = time.thread_time()
        self.longest = max(self.longest, now - self.since)
        self.since = now
        self.checks += 1
        if self.checks == self.cancel_at:
            self.cancelled = True
        super().check()


def _context(cancel_at: int | None = None) -> _Watched:
    context = _Watched(**_fields(make_context()))
    context.cancel_at = cancel_at
    return context


def _fields(context: Context) -> dict[str, Any]:
    return {
        "task_id": context.task_id,
        "attempt": context.attempt,
        "owner_id": context.owner_id,
        "soft_time_limit": 600,
        "prepare": context._prepare,
    }


def _longest_share(kind: str) -> float:
    """Return the longest time without a check as a share of the whole work."""
    context = _context()
    input = LONG[kind]()
    began = context.since = time.thread_time()
    kinds.get(kind).handler(input, context)
    assert context.checks >= 10
    context.check()
    return context.longest / (context.since - began)


@pytest.mark.parametrize("kind", LONG)
def test_long_work_checks_often_whether_it_should_stop(kind: str, settings: Settings) -> None:
    settings.OPENROUTER_API_KEY = ""
    # A share holds on a slow machine too. The first run also loads models and lists of words.
    assert min(_longest_share(kind) for _ in range(2)) < 0.25


@pytest.mark.parametrize("kind", LONG)
def test_cancelled_work_ends_at_its_next_check(kind: str, settings: Settings) -> None:
    settings.OPENROUTER_API_KEY = ""
    context = _context(cancel_at=3)
    with pytest.raises(Cancel):
        kinds.get(kind).handler(LONG[kind](), context)
    assert context.checks == 3
