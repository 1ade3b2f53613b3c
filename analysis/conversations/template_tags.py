"""Template tags of conversations."""

from __future__ import annotations

import uuid

from django import template

from analysis.models import Message, Role

SHOWN_MESSAGES = 20

register = template.Library()


@register.simple_tag
def messages_until(task_id: uuid.UUID) -> list[Message]:
    """Return the last messages up to the reply that a task made, oldest first."""
    reply = Message.objects.filter(task_id=task_id, role=Role.ASSISTANT).first()
    if reply is None:
        return []
    messages = Message.objects.filter(conversation=reply.conversation_id, pk__lte=reply.pk)
    return list(messages.order_by("-id")[:SHOWN_MESSAGES])[::-1]
