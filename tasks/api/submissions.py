"""From a request's body to what the verbs submit."""

from __future__ import annotations

import datetime as dt
from typing import Any

import orjson
from django.utils import timezone
from rest_framework.request import Request

from tasks.api.problems.handler import MAX_REPORTED_ERRORS
from tasks.api.shapes.batches import BATCH
from tasks.api.shapes.tasks import TASK
from tasks.errors import FieldError, InvalidInput, UnknownKind
from tasks.lifecycle.preparation import prepare
from tasks.submission import Submission

METADATA_LIMIT = 16 * 1024
SCHEDULE_LIMIT = dt.timedelta(days=3650)


def task_options(body: Any) -> dict[str, Any]:
    """Return the arguments of `submit`; raise InvalidInput."""
    options = dict(TASK.check(body))
    if "scheduled_at" in options:
        options["scheduled_at"] = _moment(options["scheduled_at"])
    # JSON knows one kind of number, and 1.0 passes for an integer.
    for name, number in (("priority", int), ("max_attempts", int), ("delay", float)):
        if name in options:
            options[name] = number(options[name])
    if "metadata" in options and len(orjson.dumps(options["metadata"])) > METADATA_LIMIT:
        raise InvalidInput([FieldError("metadata", f"Must be at most {METADATA_LIMIT} bytes.")])
    return options


def caller_options(request: Request) -> dict[str, Any]:
    """Return the arguments of `submit` that come with the request, not with its body."""
    return {
        "owner": request.user if request.user.is_authenticated else None,
        "idempotency_key": request.META.get("HTTP_IDEMPOTENCY_KEY"),
    }


def batch(body: Any) -> list[Submission]:
    """Return what an array, or an object with one, wants submitted; raise InvalidInput.

    Errors name the index of each task that is not valid, and nothing is submitted.
    """
    prefix = "tasks." if isinstance(body, dict) else ""
    items = BATCH.check(body if prefix else {"tasks": body})["tasks"]
    found: list[Submission] = []
    errors: list[FieldError] = []
    for index, item in enumerate(items):
        at = f"{prefix}{index}"
        try:
            found.append(prepare(**task_options(item)))
        except UnknownKind as error:
            errors.append(FieldError(f"{at}.kind", str(error)))
        except InvalidInput as error:
            errors += _at(error.errors, at)
        if len(errors) >= MAX_REPORTED_ERRORS:
            break
    if errors:
        raise InvalidInput(errors[:MAX_REPORTED_ERRORS])
    return found


def _at(errors: list[FieldError], at: str) -> list[FieldError]:
    return [FieldError(f"{at}.{one.field}".rstrip("."), one.message) for one in errors]


def _moment(text: str) -> dt.datetime:
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise _wrong_moment("This is no date and time of ISO 8601.") from None
    if moment.tzinfo is None:
        raise _wrong_moment("The time zone is missing, such as Z or +02:00.")
    # Also keeps out the few moments that only exist in some time zones.
    if abs(moment - timezone.now()) > SCHEDULE_LIMIT:
        raise _wrong_moment("This is more than ten years away.")
    return moment


def _wrong_moment(message: str) -> InvalidInput:
    return InvalidInput([FieldError("scheduled_at", message)])
