"""A conversation, and what was said in it."""

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
    """Who said something."""

    USER = "user", "User"
    ASSISTANT = "assistant", "Assistant"


class Conversation(models.Model):
    """What one person and the assistant say to each other."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, db_index=False
    )
    platform = models.CharField(max_length=20, choices=Platform, default=Platform.API)
    # Our side as the platform names it, where it has several: a page, an agent.
    channel = models.CharField(max_length=255, blank=True, default="")
    # The other side as the platform names it, or the conversation as the API's caller does; empty
    # where nobody named it.
    external_id = models.CharField(max_length=255, blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now)
    # When something was last said.
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
            # The analysis of an owner's latest conversations.
            models.Index(fields=["owner", "-updated_at"], name="conversation_owner_latest"),
        ]

    def __str__(self) -> str:
        return f"conversation {self.public_id}"

    @property
    def public_id(self) -> str:
        """The name by which its owner knows it."""
        named = self.platform == Platform.API and self.external_id
        return self.external_id if named else str(self.id)


class Message(models.Model):
    """What somebody said; the order of the ids is the order in which it was stored."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    conversation = models.ForeignKey(
        Conversation, models.CASCADE, related_name="messages", db_index=False
    )
    role = models.CharField(max_length=10, choices=Role)
    text = models.TextField()
    # No foreign key: what was said outlives the task that said it.
    task_id = models.UUIDField()
    created_at = models.DateTimeField(default=timezone.now)
    # Of a reply: who made it, by what, and how long after the message it was ready.
    provider = models.CharField(max_length=40, blank=True, default="")
    model = models.CharField(max_length=200, blank=True, default="")
    response_ms = models.BigIntegerField(null=True, blank=True)
    # When the platform accepted a reply.
    delivered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("id",)
        constraints = [
            # A task that is run twice says nothing twice.
            models.UniqueConstraint(fields=["task_id", "role"], name="message_once_per_task"),
            models.CheckConstraint(name="message_role_known", condition=Q(role__in=Role.values)),
        ]
        indexes = [
            # The history of a conversation.
            models.Index(fields=["conversation", "id"], name="message_of_conversation"),
            # Reports: what was said in a span of time.
            models.Index(fields=["created_at"], name="message_created"),
        ]

    def __str__(self) -> str:
        return f"message {self.id}"
