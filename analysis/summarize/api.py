"""`/api/v1/tasks/summarize/`: summaries of texts."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from analysis.input_schema import body_schema
from analysis.submissions import submit_input
from analysis.summarize.handler import INPUT
from tasks.rest import IDEMPOTENCY_KEY, TaskSerializer, accepted, path_to, queued_document, refusals

_CONTENT = "This is a test document to summarize."


class SummariesView(APIView):
    """`/api/v1/tasks/summarize/`"""

    @extend_schema(
        operation_id="summaries_submit",
        summary="Submit a text to be summarised",
        tags=["texts"],
        request={"application/json": body_schema(INPUT)},
        examples=[OpenApiExample("A text", value={"content": _CONTENT}, request_only=True)],
        parameters=[IDEMPOTENCY_KEY],
        responses={200: TaskSerializer, 202: TaskSerializer, **refusals(400, 413, 415, 422)},
    )
    def post(self, request: Request) -> Response:
        """Queue the summary of a text."""
        task = submit_input(request, "text.summarize", request.data)
        return accepted(queued_document(task), at=path_to("api:task", task.id), task=task)
