"""Attempt: calls the handler and turns what it does into an ending."""

from __future__ import annotations

import logging
from dataclasses import replace

from django.db import transaction

from tasks import lifecycle
from tasks.kinds import Kind
from tasks.kinds.context import Context
from tasks.kinds.exceptions import LostClaim
from tasks.lifecycle.ending import Claim, Ending, completed, raised

log = logging.getLogger(__name__)


def attempt(kind: Kind, claim: Claim, context: Context, *, worker: str) -> Ending | None:
    """Run the handler; return None when the claim was lost and there is nothing to record."""
    try:
        if kind.transactional:
            return _attempt_in_transaction(kind, claim, context, worker=worker)
        return completed(claim, kind.handler(claim.input, context), context.follow_ups)
    except LostClaim:
        log.warning(
            "task lost its claim; its handler's writes are rolled back",
            extra={"task_id": str(claim.id)},
        )
        return None
    except BaseException as error:  # any error of a handler ends only its own attempt
        return raised(claim, kind, error)


def _attempt_in_transaction(kind: Kind, claim: Claim, context: Context, *, worker: str) -> Ending:
    """Commit the handler's own writes together with the finish, or neither."""
    with transaction.atomic():
        ending = completed(claim, kind.handler(claim.input, context), context.follow_ups)
        lifecycle.finish(ending, worker=worker)
    return replace(ending, recorded=True)
