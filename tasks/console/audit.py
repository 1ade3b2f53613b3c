"""Audit log entries: one for each row that an operator changed."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.contrib.contenttypes.models import ContentType
from django.db import models


def record(
    user: AbstractBaseUser | AnonymousUser,
    rows: Sequence[models.Model],
    message: str,
    *,
    flag: int = CHANGE,
    name: str | None = None,
) -> None:
    """Write one entry for each row; `name` replaces the text of a row that must not be stored."""
    actor = user.pk
    assert actor is not None
    LogEntry.objects.bulk_create(
        LogEntry(
            user_id=actor,
            content_type=ContentType.objects.get_for_model(row),
            object_id=str(row.pk),
            object_repr=(name or str(row))[:200],
            action_flag=flag,
            change_message=message,
        )
        for row in rows
    )
