"""Conversations and their messages."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce
from django.utils import timezone
from uuid_utils.compat import uuid7

from analysis.models.platform import Platform
from tasks.models.owned import OwnedQuerySet


class Role(models.TextChoices):
    """The author of a message."""

    USER = "user", "User"
    ASSISTANT = "assistant", "Assistant"


class Conversation(models.Model):
    """A conversation of one user with the assistant."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, db_index=False
    )
    platform = models.CharField(max_length=20, choices=Platform, default=Platform.API)
    # The platform's name for our side, if there can be several: a page, an agent.
    channel = models.CharField(max_length=255, blank=True, default="")
    # The platform's name for the user, or the API caller's name for the conversation; may be empty.
    external_id = models.CharField(max_length=255, blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now)
    # When the last message was stored.
    updated_at = models.DateTimeField(default=timezone.now)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ("-updated_at",)
        constraints = [
            models.UniqueConstraint(
                Coalesce("owner", 0),
                "platform",
                "channel",
                "external_id",
                name="conversation_once_per_name",
                condition=~Q(external_id=""),
            ),
            models.CheckConstraint(
                name="conversation_platform_known", condition=Q(platform__in=Platform.values)
            ),
        ]
        indexes = [
            # conversation.batch_analysis: an owner's latest conversations.
            models.Index(fields=["owner", "-updated_at"], name="conversation_owner_latest"),
        ]

    def __str__(self) -> str:
        return f"conversation {self.public_id}"

    @property
    def public_id(self) -> str:
        """The owner's name for it, or else its id."""
        named = self.platform == Platform.API and self.external_id
        return self.external_id if named else str(self.id)


class Message(models.Model):
    """A message of a user or a reply; ids are in the order in which messages were stored."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    conversation = models.ForeignKey(
        Conversation, models.CASCADE, related_name="messages", db_index=False
    )
    role = models.CharField(max_length=10, choices=Role)
    text = models.TextField()
    # Not a foreign key: messages outlive their tasks.
    task_id = models.UUIDField()
    created_at = models.DateTimeField(default=timezone.now)
    # Of a reply: what made it, and how long after the message.
    provider = models.CharField(max_length=40, blank=True, default="")
    model = models.CharField(max_length=200, blank=True, default="")
    response_ms = models.BigIntegerField(null=True, blank=True)
    # When the platform accepted a reply.
    delivered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("id",)
        constraints = [
            # A task that runs twice stores each of its messages once.
            models.UniqueConstraint(fields=["task_id", "role"], name="message_once_per_task"),
            models.CheckConstraint(name="message_role_known", condition=Q(role__in=Role.values)),
        ]
        indexes = [
            # The history of a conversation.
            models.Index(fields=["conversation", "id"], name="message_of_conversation"),
            # Reports: the messages of a period.
            models.Index(fields=["created_at"], name="message_created"),
        ]

    def __str__(self) -> str:
        return f"message {self.id}"
