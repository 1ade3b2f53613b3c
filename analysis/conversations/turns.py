"""What is said in a conversation, stored once however often a task runs."""

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

# As much of what was said as a reply takes into account.
HISTORY_MESSAGES = 20
HISTORY_CHARACTERS = 12_000
# For so long a reply waits for those before it.
PATIENCE = dt.timedelta(minutes=1)


def find(name: str, *, owner_id: int | None) -> Conversation | None:
    """Return an owner's conversation, by the id we gave it or the name the owner did."""
    own = Conversation.objects.filter(owner_id=owner_id)
    if (id := parse_task_id(name)) and (known := own.filter(pk=id).first()):
        return known
    return own.filter(platform=Platform.API, channel="", external_id=name).first()


def find_or_start(
    name: str,
    context: Context,
    *,
    platform: str = Platform.API,
    channel: str = "",
) -> Conversation:
    """Return the conversation of this name; one without a name has the id of its first task."""
    owner_id = context.owner_id
    if not name:
        named = {"id": context.task_id, "platform": platform, "channel": channel}
        return Conversation.objects.get_or_create(**named, defaults={"owner_id": owner_id})[0]
    if platform == Platform.API and (known := find(name, owner_id=owner_id)):
        return known
    return Conversation.objects.get_or_create(
        owner_id=owner_id, platform=platform, channel=channel, external_id=name
    )[0]


def hear(conversation: Conversation, text: str, context: Context) -> Message:
    """Store what the user said, unless an earlier attempt did."""
    return _say(conversation, Role.USER, text, context, created_at=_asked_at(context.task_id))


def reply_to(
    conversation: Conversation, heard: Message | None, reply: Reply, context: Context
) -> Message:
    """Store the reply, unless an earlier attempt did; return the one that counts."""
    now = timezone.now()
    waited = now - (heard.created_at if heard else _asked_at(context.task_id))
    return _say(
        conversation,
        Role.ASSISTANT,
        reply.text,
        context,
        created_at=now,
        provider=reply.provider,
        model=reply.model,
        response_ms=max(0, int(waited.total_seconds() * 1000)),
    )


def said_by(task_id: uuid.UUID, role: Role) -> Message | None:
    """Return what a task has stored already, with its conversation."""
    messages = Message.objects.select_related("conversation")
    return messages.filter(task_id=task_id, role=role).first()


def is_early(heard: Message) -> bool:
    """Tell whether a reply to what was said before is still being made.

    For so long only as people wait: one that is tried again for hours holds nobody up.
    """
    lately = timezone.now() - PATIENCE
    before = Message.objects.filter(
        conversation=heard.conversation_id, role=Role.USER, pk__lt=heard.pk, created_at__gt=lately
    )
    alive = Task.objects.exclude(status__in=TERMINAL).filter(pk=OuterRef("task_id"))
    replies = Message.objects.filter(task_id=OuterRef("task_id"), role=Role.ASSISTANT)
    return before.filter(Exists(alive), ~Exists(replies)).exists()


def history(conversation: Conversation, *, until: Message | None) -> list[Message]:
    """Return the last messages, oldest first, up to one of them; never more than fits."""
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


def spoken(messages: Sequence[Message]) -> list[tuple[str, str]]:
    """Return who said what."""
    return [(message.role, message.text) for message in messages]


def _say(
    conversation: Conversation, role: Role, text: str, context: Context, **fields: object
) -> Message:
    with transaction.atomic():
        # One at a time: what has the lower id is seen by whoever has the higher.
        Conversation.objects.select_for_update().get(pk=conversation.pk)
        message, is_new = Message.objects.get_or_create(
            task_id=context.task_id,
            role=role,
            defaults={"conversation": conversation, "text": text, **fields},
        )
        if is_new:
            Conversation.objects.filter(pk=conversation.pk).update(updated_at=timezone.now())
    return message


def _asked_at(task_id: uuid.UUID) -> dt.datetime:
    """Return when a task was submitted: from then on its user waits."""
    submitted = Task.objects.filter(pk=task_id).values_list("created_at", flat=True).first()
    return submitted or timezone.now()
