"""Submissions through the documented routes: the body, or a field of it, is the kind's input."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request

from tasks import lifecycle
from tasks.errors import InvalidInput
from tasks.models import Task
from tasks.rest import caller_options


def submit_input(request: Request, kind: str, input: Any, *, at: str = "") -> Task:
    """Submit the body, or its field `at`, for the caller.

    Raises InvalidInput, which names the fields as they were sent; an input that is not an object
    is refused by the kind's schema.
    """
    try:
        return lifecycle.submit(kind, input, **caller_options(request))
    except InvalidInput as error:
        raise error.moved("input", at) from None
