"""Exception handler: the problem document for each exception."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from functools import singledispatch
from itertools import islice
from typing import Any

import psycopg
from django import db
from django.core.exceptions import BadRequest, RequestDataTooBig, SuspiciousOperation
from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.http import Http404, HttpResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.urls import reverse
from rest_framework.exceptions import APIException, UnsupportedMediaType, ValidationError
from rest_framework.settings import api_settings
from rest_framework.views import set_rollback

from tasks.api.parsers import RefusedBody
from tasks.api.problems import Problem, types
from tasks.errors import (
    AlertGone,
    BatchClosed,
    FieldError,
    InvalidInput,
    KeyReused,
    LimitGone,
    ScheduleGone,
    TaskGone,
    UniqueConflict,
    UnknownKind,
    WrongStatus,
)
from tasks.postgres.failures import is_outage_or_may_pass, is_refused_value
from tasks.schema_errors import MAX_ERRORS

_log = logging.getLogger(__name__)

RETRY_AFTER_OUTAGE = "5"


def problem_handler(error: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """Answer an exception raised in a DRF view; leave bugs to Django, which logs them."""
    problem = problem_of(error)
    if problem is None:
        return None
    if isinstance(error, (db.Error, psycopg.Error, RecursionError)):
        # The class alone: a database error's message may quote what the caller sent.
        cause = type(error.__cause__ or error).__name__
        _log.warning(
            "request failed with %s; the response status is %d", cause, problem.type.status
        )
    set_rollback()
    return problem.response(instance=context["request"].path)


@singledispatch
def problem_of(error: BaseException | None) -> Problem | None:
    """Return the problem for an exception, or None for a bug of this server."""
    return None


@problem_of.register
def _unknown_kind(error: UnknownKind) -> Problem:
    return Problem(
        type=types.UNKNOWN_KIND,
        detail=str(error),
        errors=(FieldError("kind", str(error)),),
    )


@problem_of.register
def _invalid_input(error: InvalidInput) -> Problem:
    return _invalid(error.errors)


@problem_of.register
def _wrong_status(error: WrongStatus) -> Problem:
    return Problem(type=types.WRONG_STATUS, detail=str(error))


@problem_of.register
def _key_reused(error: KeyReused) -> Problem:
    return Problem(type=types.KEY_REUSED, detail=str(error))


@problem_of.register
def _batch_closed(error: BatchClosed) -> Problem:
    return Problem(type=types.BATCH_CLOSED, detail=str(error))


@problem_of.register
def _unique_conflict(error: UniqueConflict) -> Problem:
    headers = {"Location": reverse("api:task", args=[error.task_id])} if error.task_id else {}
    return Problem(type=types.UNIQUE_CONFLICT, detail=str(error), headers=headers)


@problem_of.register
def _validation(error: ValidationError) -> Problem:
    return _invalid(list(islice(_fields(error.detail), MAX_ERRORS)))


@problem_of.register
def _refused_body(error: RefusedBody) -> Problem:
    is_malformed = error.status_code == types.MALFORMED_BODY.status
    kind = types.MALFORMED_BODY if is_malformed else types.type_of_status(error.status_code)
    return Problem(type=kind, detail=str(error.detail), headers=error.headers)


@problem_of.register
def _api_exception(error: APIException) -> Problem:
    headers = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if (wait := getattr(error, "wait", None)) is not None:
        headers["Retry-After"] = str(math.ceil(wait))
    if isinstance(error, UnsupportedMediaType):
        headers["Accept"] = "application/json"
    return Problem(
        type=types.type_of_status(error.status_code),
        detail=str(error.detail),
        headers=headers,
    )


@problem_of.register(Http404)
@problem_of.register(TaskGone)
@problem_of.register(ScheduleGone)
@problem_of.register(AlertGone)
@problem_of.register(LimitGone)
def _not_found(error: Exception) -> Problem:
    return Problem(type=types.NOT_FOUND, detail="Not found.")


@problem_of.register
def _permission_denied(error: DjangoPermissionDenied) -> Problem:
    return Problem(type=types.FORBIDDEN, detail="You do not have permission to do this.")


@problem_of.register
def _too_large(error: RequestDataTooBig) -> Problem:
    return Problem(type=types.BODY_TOO_LARGE, detail="The body is larger than this server accepts.")


@problem_of.register(BadRequest)
@problem_of.register(SuspiciousOperation)
@problem_of.register(MultiPartParserError)
@problem_of.register(UnreadablePostError)
def _bad_request(error: Exception) -> Problem:
    return Problem(type=types.BAD_REQUEST, detail="The request is not valid.")


@problem_of.register(db.Error)
@problem_of.register(psycopg.Error)
def _database_error(error: Exception) -> Problem | None:
    if is_outage_or_may_pass(error):
        return Problem(
            type=types.DATABASE_UNAVAILABLE,
            detail="The database cannot be reached, does not answer, or is too busy for this"
            " request. Try again shortly.",
            headers={"Retry-After": RETRY_AFTER_OUTAGE},
        )
    return _unstorable(error) if is_refused_value(error) else None


@problem_of.register(RecursionError)
def _unstorable(error: Exception) -> Problem:
    return Problem(
        type=types.BAD_REQUEST,
        detail="A value cannot be stored: it is out of range or contains a NUL character.",
    )


def _invalid(errors: list[FieldError]) -> Problem:
    detail = "Several values are not valid."
    if len(errors) == 1:
        detail = f"{errors[0].field}: {errors[0].message}".removeprefix(": ")
    return Problem(type=types.INVALID_INPUT, detail=detail, errors=tuple(errors))


def _fields(detail: Any, path: str = "") -> Iterator[FieldError]:
    """Flatten DRF's nested error detail to dotted paths."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            is_whole = name == api_settings.NON_FIELD_ERRORS_KEY
            yield from _fields(inner, path if is_whole else f"{path}.{name}".lstrip("."))
    elif isinstance(detail, list):
        for index, inner in enumerate(detail):
            nested = isinstance(inner, (dict, list))
            yield from _fields(inner, f"{path}.{index}".lstrip(".") if nested else path)
    else:
        yield FieldError(path, str(detail))
