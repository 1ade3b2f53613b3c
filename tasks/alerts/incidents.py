"""Incidents: when an alert opens and closes, and who is notified."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Sequence
from functools import partial

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from tasks.alerts.finding import Finding
from tasks.alerts.notifications import notify
from tasks.errors import AlertGone
from tasks.models import Alert, AlertRule

log = logging.getLogger(__name__)

# The subject of the alert that a rule cannot be evaluated, and for how long it must fail; seconds.
UNEVALUATED = "the rule itself"
UNEVALUATED_SECONDS = 60
_SUBJECT_LENGTH, _SENTENCE_LENGTH = 350, 700
_EVALUATED = (
    "opened_at", "sentence", "value", "threshold", "latest_value", "notified_at", "emails",
    "webhook_url",
)  # fmt: skip


def settle(rule: AlertRule, findings: Sequence[Finding] | None, *, now: dt.datetime) -> None:
    """Open, update and close the alerts of a locked rule, so that they are what was found.

    None stands for an evaluation that failed: then it is unknown whether an incident is over, and
    the failure is an incident itself. Joins the caller's transaction, and submits the messages in
    it.
    """
    unclosed = {alert.subject: alert for alert in Alert.objects.filter(rule=rule, closed_at=None)}
    if findings is None:
        findings = [Finding(subject=UNEVALUATED, value=0, sentence=rule.last_error)]
        unclosed = {subject: alert for subject, alert in unclosed.items() if subject == UNEVALUATED}
    for finding in findings:
        subject = finding.subject[:_SUBJECT_LENGTH]
        is_known = subject in unclosed
        alert = unclosed.pop(subject) if is_known else _new(rule, subject, now)
        _note(alert, finding, rule, now)
    for alert in unclosed.values():
        close(alert, now=now)


def close(alert: Alert, *, now: dt.datetime) -> None:
    """Close an alert, and notify those who know that it was open; delete one that never opened."""
    if alert.opened_at is None:
        alert.delete()
        return
    alert.closed_at = now
    alert.save(update_fields=["closed_at"])
    if alert.notified_at:
        notify(alert, "closed")
    _log_on_commit(logging.INFO, "alert closed", alert)


def close_all(rule: AlertRule, *, now: dt.datetime) -> None:
    """Close the alerts of a locked rule that is no longer evaluated."""
    for alert in Alert.objects.filter(rule=rule, closed_at=None):
        close(alert, now=now)


def acknowledge(alert: Alert, *, name: str) -> Alert:
    """Note who takes care of an alert; the first one stays. Raise AlertGone."""
    rows = Alert.objects.opened().filter(pk=alert.pk)
    rows.filter(acknowledged_at=None).update(acknowledged_by=name, acknowledged_at=Now())
    if acknowledged := rows.first():
        return acknowledged
    raise AlertGone


def prune() -> int:
    """Delete alerts that closed longer ago than failed tasks are kept; return how many."""
    if not settings.RETENTION_FAILED_DAYS:
        return 0
    old = Now() - dt.timedelta(days=settings.RETENTION_FAILED_DAYS)
    deleted, _ = Alert.objects.filter(closed_at__lt=old).delete()
    return deleted


def _new(rule: AlertRule, subject: str, now: dt.datetime) -> Alert:
    return Alert(
        rule=rule,
        rule_name=rule.name,
        condition=rule.condition,
        subject=subject,
        true_since=now,
    )


def _note(alert: Alert, finding: Finding, rule: AlertRule, now: dt.datetime) -> None:
    """Record that the condition is true, and open the alert once that has lasted long enough."""
    alert.latest_value = finding.value
    opens = alert.opened_at is None and now - alert.true_since >= _hold(alert, rule)
    if alert.opened_at is None:
        alert.value, alert.threshold = finding.value, rule.threshold
        alert.sentence = finding.sentence[:_SENTENCE_LENGTH]
    if opens:
        alert.opened_at = now
        _log_on_commit(logging.WARNING, "alert opened", alert)
    # Also one that opened while the rule was muted, or had no receivers.
    notifies = bool(alert.opened_at and not alert.notified_at)
    if notifies := notifies and rule.has_receivers and not rule.is_muted(now):
        alert.notified_at = now
        alert.emails, alert.webhook_url = rule.emails, rule.webhook_url
    alert.save(update_fields=None if alert._state.adding else _EVALUATED)
    if notifies:
        notify(alert, "opened")


def _hold(alert: Alert, rule: AlertRule) -> dt.timedelta:
    least = UNEVALUATED_SECONDS if alert.subject == UNEVALUATED else 0
    return dt.timedelta(seconds=max(least, rule.for_seconds))


def _log_on_commit(level: int, event: str, alert: Alert) -> None:
    facts = {
        "alert_id": str(alert.pk),
        "rule": alert.rule_name,
        "subject": alert.subject,
        "value": alert.latest_value,
        "alert": alert.sentence,
    }
    transaction.on_commit(partial(log.log, level, event, extra=facts))
