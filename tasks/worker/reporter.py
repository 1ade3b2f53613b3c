"""Reporter: writes the progress of all running handlers, twice a second, in one statement."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

import psycopg

from tasks import sql
from tasks.worker.session import Session
from tasks.worker.units import Running

log = logging.getLogger(__name__)

INTERVAL = 0.5


async def report_progress(running: Callable[[], Sequence[Running]]) -> None:
    """Write the latest progress of what runs; a failed write is not repeated. Never returns."""
    session = Session("progress")
    try:
        while True:
            await asyncio.sleep(INTERVAL)
            try:
                await _write(session, running())
            except psycopg.Error as error:
                log.warning(
                    "could not store progress; the next report is stored instead",
                    extra={"error": type(error).__name__},
                )
    finally:
        await session.close()


async def _write(session: Session, running: Sequence[Running]) -> None:
    reports = [
        (attempt.claim, *report) for attempt in running if (report := attempt.context.take_report())
    ]
    if not reports:
        return
    params = {
        "task_ids": [claim.id for claim, _, _ in reports],
        "claim_numbers": [claim.claim_number for claim, _, _ in reports],
        "percents": [percent for _, percent, _ in reports],
        "messages": [message for _, _, message in reports],
    }
    await session.rows(sql.PROGRESS, params)
