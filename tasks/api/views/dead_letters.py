"""The dead-letter queue: failed tasks, until retried or deleted."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict

from django.db import transaction
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tasks import lifecycle, stats
from tasks.api.bodies import FAILURES, PURGE_ALL
from tasks.api.documents import task_summary
from tasks.api.filters import FailureFilters
from tasks.api.list_parameters import list_parameters
from tasks.api.monitoring_serializers import (
    DeadLettersSerializer,
    PurgedSerializer,
    RetriedSerializer,
)
from tasks.api.pagination import FailurePages
from tasks.api.reach import movable_failures
from tasks.api.refusals import refusals
from tasks.models import Status, Task
from tasks.models.task import TaskQuerySet

# Moved in one transaction, and in one request.
CHUNK = 1_000
LIMIT = 10_000


class DeadLettersView(APIView):
    """`/api/v1/queues/dlq`"""

    @extend_schema(
        operation_id="dlq_list",
        summary="List failed tasks, newest failure first",
        tags=["dead letters"],
        parameters=list_parameters(FailureFilters),
        responses={200: DeadLettersSerializer, **refusals(400)},
    )
    def get(self, request: Request) -> Response:
        """Answer a page of failed tasks, newest failure first, with counts of all of them."""
        visible = Task.objects.visible_to(request.user).filter(status=Status.FAILED)
        failed = FailureFilters.apply(request.query_params.dict(), visible)
        pages = FailurePages()
        page = pages.paginate_queryset(failed.defer("input", "result"), request, self) or []
        return Response(
            {
                "groups": [asdict(group) for group in stats.failure_groups(failed)],
                "next": pages.get_next_link(),
                "previous": pages.get_previous_link(),
                "results": [task_summary(task) for task in page],
            }
        )


class RetryFailuresView(APIView):
    """`/api/v1/queues/dlq/retry`"""

    @extend_schema(
        operation_id="dlq_retry",
        summary="Retry failed tasks",
        tags=["dead letters"],
        request={"application/json": FAILURES.schema},
        responses={200: RetriedSerializer, **refusals(400)},
    )
    def post(self, request: Request) -> Response:
        """Queue the failed tasks of a filter again, at most 10,000 in one request."""
        moved, more = _move(_asked(self), lifecycle.retry_many)
        return Response({"retried": moved, "more": more})


class PurgeFailuresView(APIView):
    """`/api/v1/queues/dlq/purge`"""

    @extend_schema(
        operation_id="dlq_purge",
        summary="Delete failed tasks",
        tags=["dead letters"],
        request={"application/json": FAILURES.schema},
        responses={200: PurgedSerializer, **refusals(400)},
    )
    def post(self, request: Request) -> Response:
        """Delete the failed tasks of a filter, at most 10,000 in one request."""
        moved, more = _move(_asked(self), lifecycle.delete_many)
        return Response({"purged": moved, "more": more})


def _asked(view: APIView) -> TaskQuerySet:
    criteria = dict(FAILURES.check(view.request.data))
    criteria.pop(PURGE_ALL, None)
    return FailureFilters.apply(criteria, movable_failures(view))


def _move(failed: TaskQuerySet, verb: Callable[[Sequence[uuid.UUID]], int]) -> tuple[int, bool]:
    """Move failed tasks by the chunk; return how many, and whether there are more."""
    moved = 0
    while moved < LIMIT:
        with transaction.atomic():
            # Locked while they are still failed: what was retried meanwhile must not be purged.
            locked = failed.order_by("id").select_for_update(of=("self",), skip_locked=True)
            chunk = list(locked.values_list("id", flat=True)[:CHUNK])
            moved += verb(chunk)
        if len(chunk) < CHUNK:
            return moved, False
    return moved, failed.exists()
