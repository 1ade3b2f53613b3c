from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from uuid_utils.compat import uuid7

from analysis.conversations import batch
from analysis.models import Conversation, Message, Role
from tasks.kinds import FatalError
from tests.analysis.conversations import context, say

pytestmark = pytest.mark.django_db


def test_the_analysis_counts_messages_and_words_of_many_conversations(user: User) -> None:
    for number in range(3):
        say("The battery of my phone is empty, the battery!", f"c{number}", owner=user)
    say("Hello", "c0", owner=user)
    say("not mine", "other")
    unanswered = Conversation.objects.create(owner=user, platform="google", external_id="+1")
    Message.objects.create(
        conversation=unanswered, role=Role.USER, text="Is anyone there?", task_id=uuid7()
    )
    running = context(owner=user)
    result = batch.handle({}, running)
    assert result["conversations_analyzed"] == 4
    assert result["messages"] == {"total": 9, "user": 5, "assistant": 4}
    assert result["by_platform"] == {"api": 3, "google": 1}
    assert (result["top_words"][0], result["top_counts"][0]) == ("battery", 6)
    assert result["unanswered"] == 1
    assert result["response_ms"]["count"] == 4
    assert {row["conversation_id"] for row in result["conversations"]} == {
        "c0", "c1", "c2", str(unanswered.pk),
    }  # fmt: skip
    assert running.take_report() is not None


def test_the_analysis_can_be_limited_by_name_time_and_number(user: User) -> None:
    for n in range(4):
        say("Hello", f"c{n}", owner=user)
    old = Conversation.objects.get(external_id="c0")
    Conversation.objects.filter(pk=old.pk).update(updated_at=timezone.now() - dt.timedelta(days=9))
    yesterday = (timezone.now() - dt.timedelta(days=1)).isoformat()

    def number(**input: Any) -> int:
        return int(batch.handle(input, context(owner=user))["conversations_analyzed"])

    assert number() == 4
    assert number(conversation_ids=["c1", str(old.pk), "unknown"]) == 2
    assert number(updated_after=yesterday) == 3
    assert number(updated_before=yesterday) == 1
    assert number(limit=2) == 2
    with pytest.raises(FatalError, match="updated_after"):
        number(updated_after="yesterday")
    with pytest.raises(FatalError, match="time zone is missing"):
        number(updated_before="2026-01-02T00:00:00")
    moment = dt.datetime(2026, 1, 2, tzinfo=dt.UTC)
    Conversation.objects.filter(pk=old.pk).update(updated_at=moment)
    assert number(updated_before="2026-01-02T23:00:00+23:00") == 0
    assert number(updated_before="2026-01-02t23:00:01+23:00") == 1
    empty = batch.handle({}, context())
    assert (empty["conversations_analyzed"], empty["response_ms"]) == (0, None)
