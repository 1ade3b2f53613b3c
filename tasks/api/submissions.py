"""Submissions: from a request's body to the arguments of `submit`."""

from __future__ import annotations

import datetime as dt
from typing import Any

from rest_framework.request import Request

from tasks import rfc3339
from tasks.api.shapes.batches import BATCH
from tasks.api.shapes.new_task import TASK
from tasks.errors import FieldError, InvalidInput, UnknownKind
from tasks.lifecycle.preparation import prepare
from tasks.schema_errors import MAX_ERRORS
from tasks.submission import Submission

_NUMBERS = {"priority": int, "max_attempts": int, "delay": float, "expires_in": float}


def task_options(body: Any) -> dict[str, Any]:
    """Return the arguments of `submit`; raise InvalidInput."""
    options = dict(TASK.check(body))
    if "scheduled_at" in options:
        options["scheduled_at"] = _due_time(options["scheduled_at"])
    # JSON has one type of number, and JSON Schema accepts 1.0 as an integer.
    for name, number in _NUMBERS.items():
        if name in options:
            options[name] = number(options[name])
    return options


def caller_options(request: Request) -> dict[str, Any]:
    """Return the arguments of `submit` that come from the request's user and headers."""
    return {
        "owner": request.user if request.user.is_authenticated else None,
        "idempotency_key": request.META.get("HTTP_IDEMPOTENCY_KEY"),
    }


def batch_submissions(body: Any) -> list[Submission]:
    """Return the submissions in an array, or in an object with one; raise InvalidInput.

    Errors name the index of each invalid task.
    """
    prefix = "tasks." if isinstance(body, dict) else ""
    items = BATCH.check(body if prefix else {"tasks": body})["tasks"]
    submissions: list[Submission] = []
    errors: list[FieldError] = []
    for index, item in enumerate(items):
        path = f"{prefix}{index}"
        try:
            submissions.append(prepare(**task_options(item)))
        except UnknownKind as error:
            errors.append(FieldError(f"{path}.kind", str(error)))
        except InvalidInput as error:
            errors += error.moved("", f"{path}.").errors
        if len(errors) >= MAX_ERRORS:
            break
    if errors:
        raise InvalidInput(errors[:MAX_ERRORS])
    return submissions


def _due_time(text: str) -> dt.datetime:
    try:
        return rfc3339.parse(text)
    except rfc3339.InvalidDateTime as error:
        raise InvalidInput([FieldError("scheduled_at", str(error))]) from None
