"""Submitting the input that a body of one of the documented routes holds, or is."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request

from tasks import lifecycle
from tasks.errors import FieldError, InvalidInput
from tasks.models import Task
from tasks.rest import caller_options


def submitted(request: Request, kind: str, input: Any, *, at: str = "") -> Task:
    """Submit for the caller what stands in the body's field `at`, or is the body.

    Raises InvalidInput, which names fields as they were sent; the kind's schema refuses whatever
    is no object.
    """
    try:
        return lifecycle.submit(kind, input, **caller_options(request))
    except InvalidInput as error:
        raise InvalidInput(
            [
                FieldError(_place(one.field.removeprefix("input"), at), one.message)
                for one in error.errors
            ]
        ) from None


def _place(inside: str, at: str) -> str:
    return f"{at}{inside}".removeprefix(".")
