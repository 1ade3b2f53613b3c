"""Writes the progress that handlers tell, a few times a second, in one statement."""

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
    """Write the latest progress of what runs, for ever; a report that fails is not repeated."""
    session = Session("progress")
    try:
        while True:
            await asyncio.sleep(INTERVAL)
            try:
                await _write(session, running())
            except psycopg.Error as error:
                log.warning("progress not written", extra={"error": type(error).__name__})
    finally:
        await session.close()


async def _write(session: Session, running: Sequence[Running]) -> None:
    told = [(one.claim, *report) for one in running if (report := one.context.take_report())]
    if not told:
        return
    wanted = {
        "task_ids": [claim.id for claim, _, _ in told],
        "claim_numbers": [claim.claim_number for claim, _, _ in told],
        "percents": [percent for _, percent, _ in told],
        "messages": [message for _, _, message in told],
    }
    await session.rows(sql.PROGRESS, wanted)
