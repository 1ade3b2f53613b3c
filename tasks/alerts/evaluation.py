"""Evaluation: opens and closes the alerts of every rule that is due.

A rule is locked while it is evaluated, so that of many processes one evaluates it, and its alerts
and their messages are committed together. The others take the next rule meanwhile.
"""

from __future__ import annotations

import datetime as dt
import logging
import uuid
from typing import Any

from django.db import Error, connection, transaction

from tasks import sql
from tasks.alerts.conditions import findings
from tasks.alerts.database_conditions import NotReadable
from tasks.alerts.finding import Finding
from tasks.alerts.incidents import settle
from tasks.alerts.readings import Readings
from tasks.models import AlertRule
from tasks.postgres.failures import is_outage

log = logging.getLogger(__name__)

# Seconds between two evaluations of a rule.
EVERY = 15.0
# A condition that takes longer fails, and holds up the others no further.
STATEMENT_LIMIT = "5s"


def evaluate_due(*, older_than: float = EVERY) -> int:
    """Evaluate the rules with an evaluation longer ago than so many seconds; return how many."""
    before = sql.database_now() - dt.timedelta(seconds=older_than)
    readings = Readings()
    done: set[uuid.UUID] = set()
    while rule_id := _evaluate_next(before, readings, done):
        done.add(rule_id)
    return len(done)


def _evaluate_next(
    before: dt.datetime, readings: Readings, done: set[uuid.UUID]
) -> uuid.UUID | None:
    with transaction.atomic():
        due = AlertRule.objects.due(before).exclude(pk__in=done)
        rule: Any = due.select_for_update(of=("self",), skip_locked=True).first()
        if rule is None:
            return None
        found, rule.last_error = _read(rule, readings)
        settle(rule, found, now=rule.seen_at)
        rule.evaluated_at = rule.seen_at
        rule.save(update_fields=["evaluated_at", "last_error", "samples"])
    pk: uuid.UUID = rule.pk
    return pk


def _read(rule: AlertRule, readings: Readings) -> tuple[list[Finding] | None, str]:
    """Return what is true, or None and a sentence about why it is unknown."""
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT set_config('statement_timeout', %s, true)", [STATEMENT_LIMIT]
                )
            return findings(rule, readings), ""
    except NotReadable as error:
        return None, str(error)
    except Exception as error:  # one rule must not stop the others
        if is_outage(error):
            raise
        log.error(
            "could not evaluate an alert rule; its alerts stay as they are",
            extra={"rule": rule.name, "error": type(error.__cause__ or error).__name__},
            exc_info=not isinstance(error, Error),
        )
        return None, f"The condition could not be read ({type(error.__cause__ or error).__name__})."
