"""Messages of users, without a worker."""

from __future__ import annotations

import uuid
from typing import Any

from django.contrib.auth.models import User
from uuid_utils.compat import uuid7

from analysis.conversations.handler import handle_message
from tasks.kinds import Context
from tests.factories import make_context


def context(*, owner: User | None = None, id: uuid.UUID | None = None, attempt: int = 1) -> Context:
    return make_context(
        task_id=id or uuid7(), attempt=attempt, owner_id=owner.pk if owner else None
    )


def say(text: str, name: str | None = "conv_1", *, owner: User | None = None) -> dict[str, Any]:
    """Run the task of a message; return its result."""
    return handle_message({"conversation_id": name, "message": text}, context(owner=owner))
