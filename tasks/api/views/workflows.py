"""Workflows: tasks of which some wait for others."""

from __future__ import annotations

import uuid
from collections import defaultdict
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tasks import lifecycle, stats
from tasks.api.problems.openapi import refusals
from tasks.api.responses import IDEMPOTENCY_KEY, accepted
from tasks.api.shapes.links import path_to
from tasks.api.shapes.workflows import (
    EXAMPLES,
    WORKFLOW_SCHEMA,
    WorkflowCreatedSerializer,
    WorkflowSerializer,
    workflow_document,
)
from tasks.api.submissions import caller_options, workflow_request
from tasks.api.visible import changeable_batch, visible_batch
from tasks.models import Batch, Task
from tasks.stats import BatchStatus


class WorkflowsView(APIView):
    """`/api/v1/workflows/`"""

    @extend_schema(
        operation_id="workflows_submit",
        summary="Submit a workflow: tasks of which some wait for others, all or none",
        tags=["workflows"],
        request={"application/json": WORKFLOW_SCHEMA},
        examples=EXAMPLES,
        parameters=[IDEMPOTENCY_KEY],
        responses={
            200: WorkflowCreatedSerializer,
            202: WorkflowCreatedSerializer,
            **refusals(400, 413, 415, 422),
        },
    )
    def post(self, request: Request) -> Response:
        """Queue all tasks; those that wait for others start when these have ended."""
        batch = lifecycle.submit_workflow(
            **workflow_request(request.data), **caller_options(request)
        )
        document = {
            "workflow_id": batch.id,
            "status": BatchStatus.RUNNING
            if not batch.replayed
            else stats.batch_progress(batch).status,
            "tasks": batch.nodes,
        }
        return accepted(document, at=path_to("api:workflow", batch.id), replayed=batch.replayed)


class WorkflowView(APIView):
    """`/api/v1/workflows/{workflow_id}`"""

    @extend_schema(
        operation_id="workflows_get",
        summary="Get a workflow and its tasks",
        tags=["workflows"],
        responses={200: WorkflowSerializer, **refusals(404)},
    )
    def get(self, request: Request, workflow_id: uuid.UUID) -> Response:
        """Return how the workflow and each of its tasks stand."""
        return Response(_document(visible_batch(self, workflow_id, is_workflow=True)))


class CancelView(APIView):
    """`/api/v1/workflows/{workflow_id}/cancel`"""

    @extend_schema(
        operation_id="workflows_cancel",
        summary="Cancel the tasks of a workflow that have not ended",
        tags=["workflows"],
        request=None,
        responses={200: WorkflowSerializer, **refusals(404)},
    )
    def post(self, request: Request, workflow_id: uuid.UUID) -> Response:
        """Cancel waiting tasks at once, and request running ones to stop."""
        lifecycle.cancel_batch(changeable_batch(self, workflow_id, is_workflow=True))
        return Response(_document(visible_batch(self, workflow_id)))


class RetryView(APIView):
    """`/api/v1/workflows/{workflow_id}/retry`"""

    @extend_schema(
        operation_id="workflows_retry",
        summary="Retry the failed and cancelled tasks of a workflow",
        tags=["workflows"],
        request=None,
        responses={200: WorkflowSerializer, **refusals(404)},
    )
    def post(self, request: Request, workflow_id: uuid.UUID) -> Response:
        """Go on from the tasks that failed: those after them start when they have completed."""
        lifecycle.retry_batch(changeable_batch(self, workflow_id, is_workflow=True))
        return Response(_document(visible_batch(self, workflow_id)))


def _document(batch: Batch) -> dict[str, Any]:
    nodes = Task.objects.filter(batch=batch, node__isnull=False).order_by("id")
    columns = ("id", "node", "kind", "status", "started_at", "finished_at")
    after: dict[uuid.UUID, list[uuid.UUID]] = defaultdict(list)
    for task_id, on_id in batch.dependencies.values_list("task_id", "on_id"):
        after[task_id].append(on_id)
    return workflow_document(
        batch, stats.batch_progress(batch), tasks=list(nodes.only(*columns)), after=after
    )
