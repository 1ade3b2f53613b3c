"""Batches: many tasks in one request."""

from __future__ import annotations

import uuid

from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tasks import lifecycle, stats
from tasks.api.problems.openapi import refusals
from tasks.api.problems.types import UNIQUE_CONFLICT
from tasks.api.responses import IDEMPOTENCY_KEY, accepted
from tasks.api.shapes import examples
from tasks.api.shapes.batches import (
    BATCH_SCHEMA,
    BatchCreatedSerializer,
    BatchSerializer,
    batch_document,
)
from tasks.api.shapes.links import path_to
from tasks.api.submissions import batch_submissions, caller_options
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
        submissions = batch_submissions(request.data)
        batch = lifecycle.submit_many(submissions, **caller_options(request))
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
        visible = Batch.objects.visible_to(request.user).defer("submitted_ids")
        batch = get_object_or_404(visible, pk=batch_id)
        return Response(batch_document(batch, stats.batch_progress(batch)))
