"""Turns of a conversation: messages and replies, each stored once however often a task runs."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from analysis.conversations.replies import Reply
from analysis.models import Conversation, Message, Platform, Role
from tasks.kinds import Context
from tasks.models import Task
from tasks.models.task import TERMINAL, parse_task_id

# How much of the conversation a reply takes into account.
HISTORY_MESSAGES = 20
HISTORY_CHARACTERS = 12_000
# How long a reply waits for earlier ones.
LONGEST_WAIT = dt.timedelta(minutes=1)


def find(name: str, *, owner_id: int | None) -> Conversation | None:
    """Return an owner's conversation, by its id or by the owner's name for it."""
    conversations = Conversation.objects.filter(owner_id=owner_id)
    if (id := parse_task_id(name)) and (conversation := conversations.filter(pk=id).first()):
        return conversation
    return conversations.filter(platform=Platform.API, channel="", external_id=name).first()


def find_or_start(
    name: str,
    context: Context,
    *,
    platform: str = Platform.API,
    channel: str = "",
) -> Conversation:
    """Return the conversation with a name; one without a name has the id of its first task."""
    owner_id = context.owner_id
    if not name:
        fields = {"id": context.task_id, "platform": platform, "channel": channel}
        return Conversation.objects.get_or_create(**fields, defaults={"owner_id": owner_id})[0]
    if platform == Platform.API and (conversation := find(name, owner_id=owner_id)):
        return conversation
    return Conversation.objects.get_or_create(
        owner_id=owner_id, platform=platform, channel=channel, external_id=name
    )[0]


def store_message(conversation: Conversation, text: str, context: Context) -> Message:
    """Store the user's message, unless an earlier attempt did."""
    submitted_at = _submitted_at(context.task_id)
    return _store(conversation, Role.USER, text, context, created_at=submitted_at)


def store_reply(
    conversation: Conversation, message: Message | None, reply: Reply, context: Context
) -> Message:
    """Store the reply, unless an earlier attempt did; return the one that is stored."""
    now = timezone.now()
    waited = now - (message.created_at if message else _submitted_at(context.task_id))
    return _store(
        conversation,
        Role.ASSISTANT,
        reply.text,
        context,
        created_at=now,
        provider=reply.provider,
        model=reply.model,
        response_ms=max(0, int(waited.total_seconds() * 1000)),
    )


def stored_message(task_id: uuid.UUID, role: Role) -> Message | None:
    """Return what an attempt of a task has stored, with its conversation."""
    messages = Message.objects.select_related("conversation")
    return messages.filter(task_id=task_id, role=role).first()


def waits_for_earlier_reply(message: Message) -> bool:
    """Return whether the reply to an earlier message is still being made.

    Older messages do not count: a task that is retried for hours must not hold up the others.
    """
    earlier = Message.objects.filter(
        conversation=message.conversation_id,
        role=Role.USER,
        pk__lt=message.pk,
        created_at__gt=timezone.now() - LONGEST_WAIT,
    )
    unfinished = Task.objects.exclude(status__in=TERMINAL).filter(pk=OuterRef("task_id"))
    replies = Message.objects.filter(task_id=OuterRef("task_id"), role=Role.ASSISTANT)
    return earlier.filter(Exists(unfinished), ~Exists(replies)).exists()


def history(conversation: Conversation, *, until: Message | None) -> list[Message]:
    """Return the last messages up to one of them, oldest first, within the limits above."""
    messages = conversation.messages.order_by("-id")
    if until:
        messages = messages.filter(pk__lte=until.pk)
    kept: list[Message] = []
    room = HISTORY_CHARACTERS
    for message in messages[:HISTORY_MESSAGES]:
        room -= len(message.text)
        if room < 0 and kept:
            break
        kept.append(message)
    return kept[::-1]


def as_turns(messages: Sequence[Message]) -> list[tuple[str, str]]:
    """Return the role and the text of each message."""
    return [(message.role, message.text) for message in messages]


def _store(
    conversation: Conversation, role: Role, text: str, context: Context, **fields: object
) -> Message:
    with transaction.atomic():
        # One at a time, so that a message sees all those with a lower id.
        Conversation.objects.select_for_update().get(pk=conversation.pk)
        message, is_new = Message.objects.get_or_create(
            task_id=context.task_id,
            role=role,
            defaults={"conversation": conversation, "text": text, **fields},
        )
        if is_new:
            Conversation.objects.filter(pk=conversation.pk).update(updated_at=timezone.now())
    return message


def _submitted_at(task_id: uuid.UUID) -> dt.datetime:
    """Return when a task was submitted: from then on the user waits."""
    created_at = Task.objects.filter(pk=task_id).values_list("created_at", flat=True).first()
    return created_at or timezone.now()
