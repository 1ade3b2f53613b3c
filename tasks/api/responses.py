"""What several views answer alike."""

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

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    "header",
    description="Your name for this request: sent again with the same body it makes no second task,"
    " but answers 200 with the first one's.",
)


def accepted(document: Any, *, at: str, task: Task | None = None) -> Response:
    """Return a 202 that says where to look, and when it is worth it.

    A repetition of an earlier request, by its Idempotency-Key, gets that one's task, and a 200.
    """
    seconds = seconds_until_due(task) if task else 1
    headers = {"Location": at, "Retry-After": str(seconds)}
    if task and task.replayed:
        headers["Idempotency-Replayed"] = "true"
        return Response(document, status=status.HTTP_200_OK, headers=headers)
    return Response(document, status=status.HTTP_202_ACCEPTED, headers=headers)


def seconds_until_due(task: Task) -> int:
    """Return after how many whole seconds a task may have ended, at least one."""
    if task.scheduled_at is None:
        return 1
    return max(1, math.ceil((task.scheduled_at - timezone.now()).total_seconds()))


class OpenView(APIView):
    """A view that anybody may ask, and that needs no database to answer."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
