"""The parts of the API for apps with their own routes; they import nothing else of it."""

from __future__ import annotations

from tasks.api import problems
from tasks.api.parsers import RawParser
from tasks.api.problems import Problem
from tasks.api.problems.handler import problem_of
from tasks.api.problems.openapi import refusals
from tasks.api.query_values import query_values
from tasks.api.responses import IDEMPOTENCY_KEY, REPLAYED, accepted
from tasks.api.routes import route
from tasks.api.shapes.body import Body
from tasks.api.shapes.links import path_to
from tasks.api.shapes.tasks import TaskSerializer, queued_document
from tasks.api.submissions import caller_options
from tasks.api.visible import changeable_task

__all__ = [
    "IDEMPOTENCY_KEY",
    "REPLAYED",
    "Body",
    "Problem",
    "RawParser",
    "TaskSerializer",
    "accepted",
    "caller_options",
    "changeable_task",
    "path_to",
    "problem_of",
    "problems",
    "query_values",
    "queued_document",
    "refusals",
    "route",
]
