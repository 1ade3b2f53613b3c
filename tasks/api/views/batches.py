"""Batches: many tasks in one request."""

from __future__ import annotations

import uuid
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tasks import lifecycle, stats
from tasks.api.filters import TaskFilters
from tasks.api.list_parameters import list_parameters
from tasks.api.problems.openapi import refusals
from tasks.api.problems.types import BATCH_CLOSED, UNIQUE_CONFLICT
from tasks.api.responses import IDEMPOTENCY_KEY, accepted
from tasks.api.shapes import examples
from tasks.api.shapes.batches import (
    BATCH_SCHEMA,
    MEMBERS_SCHEMA,
    BatchCreatedSerializer,
    BatchSerializer,
    batch_document,
)
from tasks.api.shapes.links import path_to
from tasks.api.shapes.tasks import TaskPageSerializer
from tasks.api.submissions import batch_request, caller_options, members_request
from tasks.api.views.tasks import task_page
from tasks.api.visible import batch_tasks, changeable_batch, visible_batch
from tasks.models import Batch


class BatchesView(APIView):
    """`/api/v1/tasks/batch/`"""

    @extend_schema(
        operation_id="batches_submit",
        summary="Submit a batch of up to 10,000 tasks, all or none",
        tags=["batches"],
        request={"application/json": BATCH_SCHEMA},
        examples=examples.BATCHES,
        parameters=[IDEMPOTENCY_KEY],
        responses={
            200: BatchCreatedSerializer,
            202: BatchCreatedSerializer,
            **refusals(400, 409, 413, 415, 422, conflict=UNIQUE_CONFLICT),
        },
    )
    def post(self, request: Request) -> Response:
        """Queue an array of tasks as one batch; errors name the index of each invalid task."""
        submissions, following = batch_request(request.data)
        batch = lifecycle.submit_many(submissions, following=following, **caller_options(request))
        document = {"batch_id": batch.id, "task_ids": batch.submitted_ids}
        return accepted(document, at=path_to("api:batch", batch.id), replayed=batch.replayed)


class BatchView(APIView):
    """`/api/v1/batches/{batch_id}`"""

    @extend_schema(
        operation_id="batches_get",
        summary="Get the progress of a batch",
        tags=["batches"],
        responses={200: BatchSerializer, **refusals(404)},
    )
    def get(self, request: Request, batch_id: uuid.UUID) -> Response:
        """Return the number of the batch's tasks in each status."""
        return Response(_document(visible_batch(self, batch_id)))


class MembersView(APIView):
    """`/api/v1/batches/{batch_id}/tasks/`"""

    @extend_schema(
        operation_id="batches_tasks_list",
        summary="List the tasks of a batch, newest first",
        tags=["batches"],
        parameters=list_parameters(TaskFilters),
        responses={200: TaskPageSerializer, **refusals(400, 404)},
    )
    def get(self, request: Request, batch_id: uuid.UUID) -> Response:
        """Return a page of the batch's tasks, without inputs and results."""
        return task_page(self, batch_tasks(self, batch_id))

    @extend_schema(
        operation_id="batches_tasks_add",
        summary="Add tasks to an open batch, all or none",
        tags=["batches"],
        request={"application/json": MEMBERS_SCHEMA},
        responses={
            202: BatchCreatedSerializer,
            **refusals(400, 404, 409, 413, 415, conflict=BATCH_CLOSED),
        },
    )
    def post(self, request: Request, batch_id: uuid.UUID) -> Response:
        """Queue more tasks in a batch that was submitted with `open`."""
        submissions = members_request(request.data)
        batch = changeable_batch(self, batch_id)
        task_ids = lifecycle.add_members(batch, submissions)
        document = {"batch_id": batch.id, "task_ids": task_ids}
        return accepted(document, at=path_to("api:batch", batch.id))


class CloseView(APIView):
    """`/api/v1/batches/{batch_id}/close`"""

    @extend_schema(
        operation_id="batches_close",
        summary="Close an open batch",
        tags=["batches"],
        request=None,
        responses={200: BatchSerializer, **refusals(404)},
    )
    def post(self, request: Request, batch_id: uuid.UUID) -> Response:
        """Let the batch end once its tasks have ended. A closed one stays as it is."""
        lifecycle.close_batch(changeable_batch(self, batch_id))
        return Response(_document(visible_batch(self, batch_id)))


class CancelView(APIView):
    """`/api/v1/batches/{batch_id}/cancel`"""

    @extend_schema(
        operation_id="batches_cancel",
        summary="Cancel the tasks of a batch that have not ended",
        tags=["batches"],
        request=None,
        responses={200: BatchSerializer, **refusals(404)},
    )
    def post(self, request: Request, batch_id: uuid.UUID) -> Response:
        """Cancel waiting tasks at once, request running ones to stop, and close the batch."""
        lifecycle.cancel_batch(changeable_batch(self, batch_id))
        return Response(_document(visible_batch(self, batch_id)))


class RetryView(APIView):
    """`/api/v1/batches/{batch_id}/retry`"""

    @extend_schema(
        operation_id="batches_retry",
        summary="Retry the failed and cancelled tasks of a batch",
        tags=["batches"],
        request=None,
        responses={200: BatchSerializer, **refusals(404)},
    )
    def post(self, request: Request, batch_id: uuid.UUID) -> Response:
        """Queue the failed and cancelled tasks again; the batch then ends again."""
        lifecycle.retry_batch(changeable_batch(self, batch_id))
        return Response(_document(visible_batch(self, batch_id)))


def _document(batch: Batch) -> dict[str, Any]:
    return batch_document(batch, stats.batch_progress(batch))
