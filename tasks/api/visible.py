"""Visibility: which tasks a caller may see and change."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from django.http import Http404
from rest_framework.exceptions import PermissionDenied
from rest_framework.views import APIView

from tasks.access import may_change
from tasks.models import Task
from tasks.stats.task_by_id import task_by_id


def visible_task(
    view: APIView, task_id: uuid.UUID, *, only: Sequence[str] = (), to_render: bool = False
) -> Task:
    """Return a task; raise Http404 if there is none or the caller may not see it."""
    task = task_by_id(task_id, user=view.request.user, only=only, to_render=to_render)
    if task is None:
        raise Http404
    return task


def changeable_task(view: APIView, task_id: uuid.UUID) -> Task:
    """Return a task that the caller may change; raise Http404 or PermissionDenied."""
    task = visible_task(view, task_id)
    if not may_change(view.request.user, owner_id=task.owner_id):
        raise PermissionDenied("You can view this task but not change it.")
    return task
