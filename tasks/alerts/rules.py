"""Rules of alerts: the verbs that create, change, mute and delete one. Nothing else writes one."""

from __future__ import annotations

import datetime as dt
from typing import Any, TypedDict, Unpack

import psycopg
from django.db import IntegrityError, transaction

from tasks import sql
from tasks.alerts.incidents import close_all
from tasks.alerts.rule_values import mistakes_in
from tasks.errors import AlertGone, FieldError, InvalidInput
from tasks.models import AlertRule

LONGEST_MUTE = dt.timedelta(days=365)
# A change of these makes the samples of a counter meaningless.
_SAMPLED = {"condition", "queue", "kind", "window_seconds"}


class Values(TypedDict, total=False):
    """The fields of a rule that operators set; a filter that is None or empty is none."""

    name: str
    condition: str
    queue: str | None
    kind: str | None
    error_type: str | None
    threshold: float | None
    window_seconds: int
    for_seconds: int
    emails: list[str]
    webhook_url: str | None
    enabled: bool


def create(**values: Unpack[Values]) -> AlertRule:
    """Create a rule; raise InvalidInput naming the fields."""
    rule = AlertRule(**_stored(values))
    _check(rule, set(values))
    _save(rule, force_insert=True)
    return rule


def change(rule: AlertRule, **changes: Unpack[Values]) -> AlertRule:
    """Change the given fields; raise InvalidInput naming the fields, or AlertGone.

    The alerts of a rule that is disabled close.
    """
    with transaction.atomic():
        stored = _locked(rule)
        values = _stored(changes)
        changed = {name for name, value in values.items() if getattr(stored, name) != value}
        for name in changed:
            setattr(stored, name, values[name])
        _check(stored, changed)
        if changed & _SAMPLED:
            stored.samples = []
        if changed:
            # The new rule is evaluated in the next round.
            stored.evaluated_at, stored.updated_at = None, sql.database_now()
        if "enabled" in changed and not stored.enabled:
            stored.last_error = ""
            close_all(stored, now=sql.database_now())
        _save(stored)
    return stored


def mute(rule: AlertRule, *, until: dt.datetime) -> AlertRule:
    """Send nothing until then about alerts that open; raise InvalidInput or AlertGone.

    An alert that is still open then is reported then. The end of one that was reported is reported.
    """
    with transaction.atomic():
        stored = _locked(rule)
        now = sql.database_now()
        if not now < until <= now + LONGEST_MUTE:
            raise InvalidInput([FieldError("until", "Must be in the future, within a year.")])
        stored.muted_until = until
        stored.save(update_fields=["muted_until"])
    return stored


def unmute(rule: AlertRule) -> AlertRule:
    """Report alerts again; raise AlertGone."""
    with transaction.atomic():
        stored = _locked(rule)
        stored.muted_until = None
        stored.save(update_fields=["muted_until"])
    return stored


def remove(rule: AlertRule) -> None:
    """Delete a rule; its open alerts close, and all of them stay in the history."""
    with transaction.atomic():
        stored = _locked(rule)
        close_all(stored, now=sql.database_now())
        stored.delete()


def _stored(values: Values) -> dict[str, Any]:
    empty = {"queue": "", "kind": "", "error_type": "", "webhook_url": ""}
    return {name: empty.get(name) if value is None else value for name, value in values.items()}


def _check(rule: AlertRule, touched: set[str]) -> None:
    if errors := mistakes_in(rule, touched):
        raise InvalidInput(errors)


def _locked(rule: AlertRule) -> AlertRule:
    if stored := AlertRule.objects.select_for_update().filter(pk=rule.pk).first():
        return stored
    raise AlertGone


def _save(rule: AlertRule, *, force_insert: bool = False) -> None:
    try:
        with transaction.atomic():
            rule.save(force_insert=force_insert)
    except IntegrityError as error:
        if not isinstance(error.__cause__, psycopg.errors.UniqueViolation):
            raise
        raise InvalidInput([FieldError("name", "A rule with this name already exists.")]) from error
