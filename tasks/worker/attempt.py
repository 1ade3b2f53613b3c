"""Attempt: calls the handler and turns what it does into an ending."""

from __future__ import annotations

import logging
import time
from contextvars import copy_context
from dataclasses import replace
from typing import Any

import orjson
from django.db import transaction

from tasks import lifecycle, sql
from tasks.correlation import running
from tasks.kinds import Kind
from tasks.kinds.context import Context
from tasks.kinds.exceptions import Interrupted, LostClaim
from tasks.lifecycle.ending import Claim, Ending, completed, raised
from tasks.lifecycle.telemetry import emit_reused
from tasks.worker.handler_session import (
    begin_in_transaction,
    renew_changed_sessions,
    require_no_open_transaction,
    watch_sessions,
)
from tasks.worker.output import end_lines

log = logging.getLogger(__name__)


def attempt(kind: Kind, claim: Claim, context: Context, *, worker: str) -> Ending | None:
    """Run the handler; return None when the claim was lost and there is nothing to record."""
    with running(claim):
        try:
            return _attempt(kind, claim, context, worker=worker)
        finally:
            end_lines()


def _attempt(kind: Kind, claim: Claim, context: Context, *, worker: str) -> Ending | None:
    watch_sessions()
    try:
        if kind.cache and (result := _stored_result(claim)) is not None:
            emit_reused(claim)
            return completed(claim, result)
        if kind.transactional:
            return _attempt_in_transaction(kind, claim, context, worker=worker)
        return completed(claim, _run_handler(kind, claim, context), context.follow_ups)
    except LostClaim:
        log.warning(
            "worker lost its claim on the task; the handler's writes are rolled back",
            extra={"task_id": str(claim.id)},
        )
        return None
    except BaseException as error:  # any error of a handler ends only its own attempt
        return raised(claim, kind, error)
    finally:
        renew_changed_sessions(claim.id)


def _stored_result(claim: Claim) -> dict[str, Any] | None:
    """Return the result of an earlier task with the same input, if it can be used again."""
    params = {"task": claim.id, "claim_number": claim.claim_number}
    rows = sql.run(sql.REUSE, params)
    return orjson.loads(rows[0][0]) if rows else None


def _run_handler(kind: Kind, claim: Claim, context: Context) -> dict[str, Any] | None:
    """Run the handler; raise RuntimeError when it leaves a transaction open.

    An exception of the engine that it raises by itself is an error of its own. Otherwise the
    attempt would be released, uncounted, as often as it raises it.
    """
    try:
        # In a context of its own: language, time zone and decimal precision end with the attempt.
        result = copy_context().run(kind.handler, claim.input, context)
    except (Interrupted, LostClaim) as error:
        if isinstance(error, Interrupted) and context.interrupted:
            raise
        raise RuntimeError(
            f"The handler raised {type(error).__name__}, which only the worker may raise."
        ) from error
    require_no_open_transaction()
    return result


def _attempt_in_transaction(kind: Kind, claim: Claim, context: Context, *, worker: str) -> Ending:
    """Commit the handler's own writes together with the finish, or neither."""
    began = time.monotonic()
    with transaction.atomic():
        begin_in_transaction()
        ending = completed(claim, _run_handler(kind, claim, context), context.follow_ups)
        ending.ran = time.monotonic() - began
        lifecycle.finish(ending, worker=worker)
    return replace(ending, recorded=True)
