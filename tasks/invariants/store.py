"""Store: the last report, and whose turn it is to check; rows of the cached counts."""

from __future__ import annotations

import datetime as dt
import uuid

from django.db.models import Q
from django.db.models.functions import Now

from tasks.invariants.parts import FIRST
from tasks.invariants.report import Finding, Report
from tasks.invariants.rules import BY_NAME
from tasks.models import CachedCount
from tasks.stats.violations import REPORT

EVERY = dt.timedelta(hours=1)
_TURN = "turn to check invariants"
_AHEAD = dt.timedelta(minutes=1)
_LONG_AGO = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)


def begin_turn() -> bool:
    """Return whether the caller is to check now: one process of all, once in EVERY."""
    never = CachedCount(name=_TURN, value={}, counted_at=_LONG_AGO, seconds=0.0)
    CachedCount.objects.bulk_create([never], ignore_conflicts=True)
    # Well in the future: the clock was set back. A little: another process has just begun.
    is_due = Q(counted_at__lte=Now() - EVERY) | Q(counted_at__gt=Now() + _AHEAD)
    return bool(CachedCount.objects.filter(is_due, name=_TURN).update(counted_at=Now()))


def store_report(report: Report) -> None:
    """Replace the last report."""
    value = {
        "findings": [
            {
                "invariant": finding.invariant.name,
                "count": finding.count,
                "examples": list(finding.examples),
            }
            for finding in report.findings
        ],
        "unchecked": report.unchecked,
        "next_after": str(report.next_after),
    }
    CachedCount.objects.update_or_create(
        name=REPORT,
        defaults={"value": value, "counted_at": report.at, "seconds": report.seconds},
    )


def last_report() -> Report | None:
    """Return the last report that was stored, if any; without what this version does not check."""
    row = CachedCount.objects.filter(name=REPORT).first()
    if row is None:
        return None
    return Report(
        at=row.counted_at,
        seconds=row.seconds,
        findings=[
            Finding(
                invariant=BY_NAME[stored["invariant"]],
                count=stored["count"],
                examples=stored["examples"],
            )
            for stored in row.value["findings"]
            if stored["invariant"] in BY_NAME
        ],
        unchecked={n: reason for n, reason in row.value["unchecked"].items() if n in BY_NAME},
        next_after=uuid.UUID(row.value.get("next_after", str(FIRST))),
    )
