"""Responses that several views share."""

from __future__ import annotations

import math
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter
from rest_framework import status
from rest_framework.permissions import AllowAny
from rest_framework.response import Response
from rest_framework.views import APIView

from tasks.models import Task
from tasks.submission import KEY

REPLAYED = {"Idempotency-Replayed": "true"}
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": f"^{KEY.pattern}$"},
    "header",
    description="A text of your choice that identifies this request. If you send the same request"
    " again with the same key, nothing is created a second time: the response is 200 with what"
    " the first request created, and has `Idempotency-Replayed: true`. Another request with the"
    " same key is refused with 422. Keys of tasks and keys of batches are separate, and every user"
    " has their own.",
)


def accepted(
    document: Any, *, at: str, task: Task | None = None, replayed: bool = False
) -> Response:
    """Return a 202 with the path to poll and the seconds to wait before that.

    A request that repeats an earlier Idempotency-Key, or is for a unique task that exists, gets a
    200 with the task of the earlier request; so does one that is answered with a stored result.
    """
    seconds = seconds_until_due(task) if task else 1
    headers = {"Location": at, "Retry-After": str(seconds)}
    if replayed or (task and task.replayed):
        return Response(document, status=status.HTTP_200_OK, headers=headers | REPLAYED)
    if task and task.unique_conflict:
        headers["Unique-Conflict"] = task.unique_conflict
        return Response(document, status=status.HTTP_200_OK, headers=headers)
    if task and task.cached_from:
        return Response(document, status=status.HTTP_200_OK, headers=headers)
    return Response(document, status=status.HTTP_202_ACCEPTED, headers=headers)


def seconds_until_due(task: Task) -> int:
    """Return in how many whole seconds a task is due, at least one."""
    if task.scheduled_at is None or task.waits_for_others:
        return 1
    return max(1, math.ceil((task.scheduled_at - timezone.now()).total_seconds()))


class OpenView(APIView):
    """A view without authentication, which would need the database."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
