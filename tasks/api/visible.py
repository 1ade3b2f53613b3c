"""Visibility: which tasks and batches a caller may see and change."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from django.http import Http404
from rest_framework.exceptions import PermissionDenied
from rest_framework.views import APIView

from tasks.access import may_change
from tasks.models import Batch, Task
from tasks.models.task import TaskQuerySet
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


def visible_batch(view: APIView, batch_id: uuid.UUID, *, is_workflow: bool | None = None) -> Batch:
    """Return a batch, with `is_workflow` only one that is or is no workflow; raise Http404."""
    batches = Batch.objects.visible_to(view.request.user).defer("submitted_ids")
    if is_workflow is not None:
        batches = batches.filter(is_workflow=is_workflow)
    batch = batches.filter(pk=batch_id).first()
    if batch is None:
        raise Http404
    return batch


def changeable_batch(
    view: APIView, batch_id: uuid.UUID, *, is_workflow: bool | None = None
) -> Batch:
    """Return a batch that the caller may change; raise Http404 or PermissionDenied."""
    batch = visible_batch(view, batch_id, is_workflow=is_workflow)
    if not may_change(view.request.user, owner_id=batch.owner_id):
        raise PermissionDenied("You can view this batch but not change it.")
    return batch


def batch_tasks(view: APIView, batch_id: uuid.UUID) -> TaskQuerySet:
    """Return the tasks of a batch that the caller may see; raise Http404."""
    batch = visible_batch(view, batch_id)
    return Task.objects.visible_to(view.request.user).filter(batch=batch.pk)
