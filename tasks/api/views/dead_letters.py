"""Dead-letter queue: failed tasks, until they are retried or deleted."""

from __future__ import annotations

from dataclasses import asdict

from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tasks import lifecycle, stats
from tasks.api.filters import FailureFilters
from tasks.api.list_parameters import list_parameters
from tasks.api.pagination import FailurePages
from tasks.api.problems.openapi import refusals
from tasks.api.query_values import query_values
from tasks.api.shapes.dead_letters import (
    FAILURES,
    PURGE_ALL,
    DeadLettersSerializer,
    PurgedSerializer,
    RetriedSerializer,
)
from tasks.api.shapes.tasks import task_summary
from tasks.errors import FieldError, InvalidInput
from tasks.filter_values import mistakes_in
from tasks.models import Status, Task
from tasks.models.task import TaskQuerySet

# The most tasks that one request moves.
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
        """Return a page of failed tasks, and counts of all matching ones by kind and error type."""
        visible = Task.objects.visible_to(request.user).filter(status=Status.FAILED)
        failed = FailureFilters.apply_query(request.query_params, visible)
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
        summary="Retry matching failed tasks",
        tags=["dead letters"],
        request={"application/json": FAILURES.schema},
        responses={200: RetriedSerializer, **refusals(400)},
    )
    def post(self, request: Request) -> Response:
        """Queue the matching failed tasks again, at most 10,000 in one request.

        The oldest failures come first. One request retries a task at most once. While `more` is
        true, repeat the request. Send the same `failed_before` in each request, so that no task is
        retried twice.
        """
        moved, more = lifecycle.move_matching(_matching(self), lifecycle.retry_many, limit=LIMIT)
        return Response({"retried": moved, "more": more})


class PurgeFailuresView(APIView):
    """`/api/v1/queues/dlq/purge`"""

    @extend_schema(
        operation_id="dlq_purge",
        summary="Delete matching failed tasks",
        tags=["dead letters"],
        request={"application/json": FAILURES.schema},
        responses={200: PurgedSerializer, **refusals(400)},
    )
    def post(self, request: Request) -> Response:
        """Delete the matching failed tasks, at most 10,000 in one request, oldest failure first."""
        moved, more = lifecycle.move_matching(_matching(self), lifecycle.delete_many, limit=LIMIT)
        return Response({"purged": moved, "more": more})


def _matching(view: APIView) -> TaskQuerySet:
    # Filters belong into the body: one in the address would be ignored.
    query_values(view.request.query_params)
    body = view.request.data
    if isinstance(body, dict):
        if PURGE_ALL in body and len(body) > 1:
            raise InvalidInput([FieldError(PURGE_ALL, "Use it alone, without filters.")])
        if not body:
            raise InvalidInput(
                [FieldError("", f'Give at least one filter, or "{PURGE_ALL}": true.')]
            )
        if mistakes := mistakes_in(body):
            raise ValidationError(mistakes)
    criteria = dict(FAILURES.check(body))
    criteria.pop(PURGE_ALL, None)
    failed = Task.objects.changeable_by(view.request.user).filter(status=Status.FAILED)
    return FailureFilters.apply(criteria, failed)
