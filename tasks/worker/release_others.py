"""Release of a worker's other claims, when one task makes its process end."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import psycopg

from tasks import sql
from tasks.lifecycle.ending import Claim, Ending, interrupted
from tasks.worker.finisher import write
from tasks.worker.session import Session

log = logging.getLogger(__name__)


def release_others(
    culprit: Claim, *, worker_id: int, worker: str, unrecorded: Sequence[Ending]
) -> None:
    """Record or release every claim of a worker but the one that makes its process end.

    So only that task counts a loss: ten losses end a task. `unrecorded` are the endings that the
    worker's finisher could not record any more.
    """
    session = Session("release")
    endings = {ending.claim.key: ending for ending in unrecorded}
    try:
        for row in session.rows(sql.HELD, {"worker": worker_id}):
            claim = Claim(*row)
            if claim.key != culprit.key:
                _record(session, endings.get(claim.key) or interrupted(claim), worker)
    except psycopg.Error:
        log.exception(
            "could not release this worker's other tasks; they wait until its lease expires"
        )
    session.close()


def _record(session: Session, ending: Ending, worker: str) -> None:
    """Record one ending; what is refused must not keep the claims behind it."""
    facts: dict[str, Any] = {"task_id": str(ending.claim.id)}
    try:
        write(session, [ending], worker=worker)
    except psycopg.Error:
        log.exception("could not release a task; it waits until the lease expires", extra=facts)
