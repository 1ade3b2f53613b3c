"""Whose tasks a caller sees, and whose they may move."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from django.conf import settings
from django.http import Http404
from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from tasks.api.permissions import IsOperator, MayUseApi
from tasks.lookup import find
from tasks.models import Status, Task
from tasks.models.task import TaskQuerySet


class IsOperatorOrOpen(BasePermission):
    """Let in operators, and anybody where the API is open to anybody."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Tell whether the caller may ask for what workers do anyway."""
        if settings.API_ALLOW_ANONYMOUS:
            return MayUseApi().has_permission(request, view)
        return IsOperator().has_permission(request, view)


def is_operator(view: APIView) -> bool:
    """Tell whether the caller of this view may touch everybody's work."""
    return IsOperator().has_permission(view.request, view)


def visible_task(view: APIView, task_id: uuid.UUID, *, only: Sequence[str] = ()) -> Task:
    """Return a task that the caller sees; raise Http404, be it another's or nobody's."""
    task = find(task_id, user=view.request.user, only=only)
    if task is None:
        raise Http404
    return task


def movable_task(view: APIView, task_id: uuid.UUID) -> Task:
    """Return a task that the caller may move; raise Http404, or PermissionDenied to onlookers."""
    task = visible_task(view, task_id)
    if task.owner_id != view.request.user.pk and not is_operator(view):
        raise PermissionDenied("You may look at this task, not move it.")
    return task


def movable_failures(view: APIView) -> TaskQuerySet:
    """Return the failed tasks that the caller may move: an operator's are everybody's."""
    failed = Task.objects.visible_to(view.request.user).filter(status=Status.FAILED)
    return failed if is_operator(view) else failed.filter(owner=view.request.user.pk)
