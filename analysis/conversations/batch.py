"""Kind `conversation.batch_analysis`: figures of many conversations."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import User
from django.db.models import Q

from analysis.checked import Check, checked
from analysis.conversations.figures import Times, top_words, words_of
from analysis.input_schema import input_schema
from analysis.models import Conversation, Message, Role
from tasks import rfc3339
from tasks.kinds import Context, FatalError
from tasks.models.task import parse_task_id

MAX_CONVERSATIONS = 10_000
# How many are listed one by one; all are in the totals.
SHOWN_CONVERSATIONS = 100
_CHUNK = 50
_TOP, _TOP_OF_ONE = 20, 5
_MOMENT = {"type": "string", "format": "date-time"}

INPUT = input_schema(
    {
        "conversation_ids": {
            "type": "array",
            "items": {"type": "string", "minLength": 1, "maxLength": 200},
            "minItems": 1,
            "maxItems": MAX_CONVERSATIONS,
            "description": "Ids or names; if omitted, the latest conversations.",
        },
        "updated_after": {
            **_MOMENT,
            "description": "Only conversations with a message since this time.",
        },
        "updated_before": _MOMENT,
        "limit": {"type": "integer", "minimum": 1, "maximum": MAX_CONVERSATIONS, "default": 1_000},
    }
)


@dataclass
class _Totals:
    """The figures of all conversations together."""

    platforms: Counter[str] = field(default_factory=Counter)
    roles: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    words: Counter[str] = field(default_factory=Counter)
    times: Times = field(default_factory=Times)
    unanswered: int = 0


def handle(input: dict[str, Any], context: Context) -> dict[str, Any]:
    """Count messages and words in many conversations, and measure response times.

    `unanswered` counts the conversations in which the last message is the user's; times are in ms.
    """
    chosen = list(_chosen(input, context))
    totals, listed = _Totals(), list[dict[str, Any]]()
    for start in range(0, len(chosen), _CHUNK):
        context.check()
        context.progress(100 * start / len(chosen), f"{start} of {len(chosen)} conversations")
        chunk = chosen[start : start + _CHUNK]
        messages = _messages(chunk, context.check)
        for conversation in chunk:
            context.check()
            figures = _analyze(conversation, messages.get(conversation.pk, []), totals)
            if len(listed) < SHOWN_CONVERSATIONS:
                listed.append(figures)
    return {
        "conversations_analyzed": len(chosen),
        "messages": {"total": totals.roles.total(), **{role: totals.roles[role] for role in Role}},
        "by_platform": dict(totals.platforms.most_common()),
        "languages": dict(totals.languages.most_common()),
        **top_words(totals.words, _TOP),
        "response_ms": totals.times.summary(),
        "unanswered": totals.unanswered,
        "conversations": listed,
    }


def _chosen(input: dict[str, Any], context: Context) -> Iterator[Conversation]:
    """Yield the conversations that the input names, of those that the task's owner can see."""
    owner = User.objects.filter(pk=context.owner_id).first() if context.owner_id else None
    chosen = Conversation.objects.visible_to(owner).order_by("-updated_at", "-id")
    if names := input.get("conversation_ids"):
        ids = [id for name in names if (id := parse_task_id(name))]
        chosen = chosen.filter(Q(pk__in=ids) | Q(external_id__in=names))
    for key, lookup in (("updated_after", "updated_at__gte"), ("updated_before", "updated_at__lt")):
        if key in input:
            chosen = chosen.filter(**{lookup: _moment(key, input[key])})
    yield from chosen[: int(input.get("limit", 1_000))]


def _moment(key: str, text: str) -> dt.datetime:
    try:
        return rfc3339.parse(text)
    except rfc3339.InvalidDateTime as error:
        raise FatalError(f"{key}: {error}") from None


def _messages(conversations: Sequence[Conversation], check: Check) -> dict[Any, list[Message]]:
    """Return the messages of conversations, by the conversation's id, oldest first."""
    by_conversation: dict[Any, list[Message]] = {}
    rows = Message.objects.filter(conversation__in=conversations).order_by("id")
    rows = rows.defer("model", "provider", "delivered_at")
    for message in checked(rows.iterator(1_000), check):
        by_conversation.setdefault(message.conversation_id, []).append(message)
    return by_conversation


def _analyze(
    conversation: Conversation, messages: Sequence[Message], totals: _Totals
) -> dict[str, Any]:
    """Return the figures of one conversation, and add them to the totals."""
    roles = Counter(message.role for message in messages)
    language, words = words_of([message.text for message in messages if message.role == Role.USER])
    times = Times(message.response_ms for message in messages if message.response_ms is not None)
    unanswered = bool(messages) and messages[-1].role == Role.USER
    totals.platforms[conversation.platform] += 1
    # Not `+=`, which goes through all words of all conversations each time.
    totals.roles.update(roles)
    totals.words.update(words)
    totals.times.extend(times)
    totals.unanswered += unanswered
    if language:
        totals.languages[language] += 1
    return {
        "conversation_id": conversation.public_id,
        "platform": conversation.platform,
        "messages": {"total": roles.total(), **{role: roles[role] for role in Role}},
        **top_words(words, _TOP_OF_ONE),
        "response_ms": times.summary(),
        "unanswered": unanswered,
        "started_at": conversation.created_at.isoformat(),
        "updated_at": conversation.updated_at.isoformat(),
    }
