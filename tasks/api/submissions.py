"""Submissions: from a request's body to the arguments of `submit`."""

from __future__ import annotations

import datetime as dt
from typing import Any

from rest_framework.request import Request

from tasks import rfc3339
from tasks.api.shapes.batches import BATCH, FOLLOWING, MEMBERS
from tasks.api.shapes.new_task import TASK
from tasks.api.shapes.workflows import NODE, WORKFLOW
from tasks.errors import FieldError, InvalidInput, UnknownKind
from tasks.lifecycle import Following, Node
from tasks.lifecycle.preparation import prepare, prepare_unchecked
from tasks.models.batch import OnFailure
from tasks.postgres.text import storable
from tasks.references import BATCH as BATCH_FACT
from tasks.references import references_in
from tasks.schema_errors import MAX_ERRORS
from tasks.submission import Submission, checked_options

_NODE_FIELDS = ("kind", "input", "after", "on_failure", "map")
_NUMBERS = {"priority": int, "max_attempts": int, "delay": float, "expires_in": float}


def task_options(body: Any) -> dict[str, Any]:
    """Return the arguments of `submit`; raise InvalidInput."""
    options = dict(TASK.check(body))
    if "scheduled_at" in options:
        options["scheduled_at"] = _due_time(options["scheduled_at"])
    return _as_numbers(options)


def caller_options(request: Request) -> dict[str, Any]:
    """Return the arguments of `submit` that come from the request's user and headers."""
    return {
        "owner": request.user if request.user.is_authenticated else None,
        "idempotency_key": request.META.get("HTTP_IDEMPOTENCY_KEY"),
    }


def batch_request(body: Any) -> tuple[list[Submission], Following]:
    """Return the tasks of a batch and what follows it; raise InvalidInput."""
    if not isinstance(body, dict):
        return members_request(body), Following()
    options = BATCH.check(body)
    if not options["tasks"] and not options.get("open"):
        raise InvalidInput([FieldError("tasks", "Use at least one task, or open: true.")])
    following = Following(
        name=_name(options),
        then=_then(options["then"]) if "then" in options else None,
        callback_url=_callback_url(options),
        on_failure=options.get("on_failure", OnFailure.CONTINUE),
        is_open=options.get("open", False),
    )
    return _submissions(options["tasks"], "tasks."), following


def members_request(body: Any) -> list[Submission]:
    """Return the submissions in an array, or in an object with one; raise InvalidInput.

    Errors name the index of each invalid task.
    """
    prefix = "tasks." if isinstance(body, dict) else ""
    return _submissions(MEMBERS.check(body if prefix else {"tasks": body})["tasks"], prefix)


def workflow_request(body: Any) -> dict[str, Any]:
    """Return the arguments of `submit_workflow`; raise InvalidInput naming nodes and fields."""
    options = WORKFLOW.check(body)
    nodes: dict[str, Node] = {}
    errors: list[FieldError] = []
    for name, item in options["tasks"].items():
        try:
            values = dict(NODE.check(item))
        except InvalidInput as error:
            errors += error.moved("", f"tasks.{name}.").errors
            continue
        fields = {field: values.pop(field) for field in _NODE_FIELDS if field in values}
        nodes[name] = Node(**fields, options=_as_numbers(values))
    if errors:
        raise InvalidInput(errors[:MAX_ERRORS])
    return {"nodes": nodes, "name": _name(options), "callback_url": _callback_url(options)}


def _then(item: Any) -> Submission:
    try:
        options = _as_numbers(dict(FOLLOWING.check(item)))
        input = options.pop("input", {})
        references = list(references_in(input))
        for reference in references:
            if reference.word != BATCH_FACT:
                mistake = f"Only {BATCH_FACT} can be named here."
                raise InvalidInput([FieldError(reference.place, mistake)])
        kind = options.pop("kind")
        return (prepare_unchecked if references else prepare)(kind, input, **options)
    except UnknownKind as error:
        raise InvalidInput([FieldError("then.kind", str(error))]) from None
    except InvalidInput as error:
        raise error.moved("", "then.") from None


def _name(options: dict[str, Any]) -> str:
    return storable(options.get("name", ""))


def _callback_url(options: dict[str, Any]) -> str:
    checked = checked_options({"callback_url": options.get("callback_url", "")})
    url: str = checked["callback_url"]
    return url


def _as_numbers(options: dict[str, Any]) -> dict[str, Any]:
    """Return options with numbers of the right type.

    JSON has one type of number, and JSON Schema accepts 1.0 as an integer.
    """
    for name, number in _NUMBERS.items():
        if name in options:
            options[name] = number(options[name])
    return options


def _submissions(items: list[Any], prefix: str) -> list[Submission]:
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
