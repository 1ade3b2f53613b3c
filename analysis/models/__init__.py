"""Models: what kinds store besides the results of their tasks."""

from __future__ import annotations

from analysis.models.conversation import Conversation, Message, Role
from analysis.models.platform import Platform
from analysis.models.vector import Vector
from analysis.models.webhook_event import WebhookEvent

__all__ = ["Conversation", "Message", "Platform", "Role", "Vector", "WebhookEvent"]
