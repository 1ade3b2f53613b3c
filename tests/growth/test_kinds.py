from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction
from pytest_django import Settings

from analysis.conversations.batch import _analyze, _Totals
from analysis.models import Conversation, Message, Role
from tasks import kinds
from tests.factories import make_context
from tests.growth.kinds import FIXED, GROWING
from tests.growth.measure import MOST_GROWTH, growth, too_fast
from tests.growth.texts import SHAPES

WORDS = SHAPES["distinct words"]


class _RolledBack(Exception):
    """Ends a transaction whose writes must not stay."""


def _run(kind: str, make: Callable[[str], dict[str, Any]]) -> Callable[[str], None]:
    def run(text: str) -> None:
        with transaction.atomic():
            kinds.get(kind).handler(make(text), make_context())
            raise _RolledBack

    return run


def test_every_kind_is_measured() -> None:
    registered = {name for name in kinds.all_kinds() if not name.startswith("test.")}
    assert registered == set(GROWING) | FIXED


@pytest.mark.django_db
@pytest.mark.parametrize("kind", GROWING)
def test_the_work_of_a_kind_grows_no_faster_than_its_input(kind: str, settings: Settings) -> None:
    settings.OPENROUTER_API_KEY = ""
    make, length = GROWING[kind]
    assert dict(too_fast(_run(kind, make), length)) == {}


def test_the_words_of_many_conversations_are_counted_once_each() -> None:
    def analyze(text: str) -> None:
        totals = _Totals()
        for place in range(0, len(text), 200):
            messages = [Message(role=Role.USER, text=text[place : place + 200])]
            _analyze(Conversation(), messages, totals)

    assert growth(analyze, WORDS, 200_000) <= MOST_GROWTH
