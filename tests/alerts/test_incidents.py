"""Incidents: an alert opens once, closes once, and its messages are committed with it."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from tasks import alerts
from tasks.alerts.incidents import UNEVALUATED
from tasks.errors import AlertGone, InvalidInput
from tasks.models import Alert, AlertRule, Breaker, Task
from tests.alerts.conftest import WEBHOOK, evaluate, messages
from tests.factories import make_task

pytestmark = pytest.mark.django_db

Rule = Callable[..., AlertRule]


def end_incident() -> None:
    Task.objects.filter(queue="a").delete()


def age(**fields: float) -> None:
    """Move times of the alert so many seconds into the past."""
    alert = Alert.objects.get()
    for name, seconds in fields.items():
        setattr(alert, name, getattr(alert, name) - dt.timedelta(seconds=seconds))
    alert.save()


def test_an_alert_opens_and_closes_once_per_incident(backlog: AlertRule) -> None:
    for _ in range(3):
        evaluate()
    alert = Alert.objects.get()
    assert (alert.rule_name, alert.condition, alert.subject) == ("backlog", "backlog", "a")
    assert alert.opened_at
    assert messages() == ["opened"]
    end_incident()
    for _ in range(3):
        evaluate()
    assert Alert.objects.get().closed_at
    assert messages() == ["opened", "closed"]


def test_the_next_incident_is_another_alert_and_the_first_stays_in_the_history(
    backlog: AlertRule,
) -> None:
    evaluate()
    end_incident()
    evaluate()
    make_task(queue="a")
    evaluate()
    newest, first = Alert.objects.all()
    assert (newest.closed_at, first.closed_at is None) == (None, False)
    assert messages() == ["opened", "closed", "opened"]


def test_the_value_at_the_opening_stays_and_the_latest_follows(backlog: AlertRule) -> None:
    evaluate()
    make_task(queue="a")
    evaluate()
    alert = Alert.objects.get()
    assert (alert.value, alert.latest_value) == (1, 2)
    assert alert.sentence == "The queue a has 1 due task."


def test_an_alert_opens_when_its_condition_has_been_true_for_long_enough(
    backlog: AlertRule,
) -> None:
    alerts.change(backlog, for_seconds=60)
    evaluate()
    assert Alert.objects.get().opened_at is None
    assert not Alert.objects.open()
    age(true_since=59)
    evaluate()
    assert messages() == []
    age(true_since=1)
    evaluate()
    assert Alert.objects.open().count() == 1
    assert messages() == ["opened"]


def test_a_condition_that_ends_before_it_has_been_true_for_long_enough_is_no_alert(
    backlog: AlertRule,
) -> None:
    alerts.change(backlog, for_seconds=60)
    evaluate()
    end_incident()
    evaluate()
    assert not Alert.objects.exists()
    assert messages() == []


def test_each_subject_has_its_own_alert(rule: Rule) -> None:
    rule("backlog", threshold=1)
    for queue in ("a", "b"):
        make_task(queue=queue)
    evaluate()
    Task.objects.filter(queue="a").delete()
    evaluate()
    assert list(Alert.objects.open().values_list("subject", flat=True)) == ["b"]


def test_an_alert_of_a_muted_rule_is_reported_when_the_mute_ends(backlog: AlertRule) -> None:
    alerts.mute(backlog, until=timezone.now() + dt.timedelta(hours=1))
    evaluate()
    assert Alert.objects.open().count() == 1
    assert messages() == []
    AlertRule.objects.update(muted_until=timezone.now())
    evaluate()
    evaluate()
    assert messages() == ["opened"]


def test_an_alert_that_ends_while_its_rule_is_muted_was_never_reported(backlog: AlertRule) -> None:
    alerts.mute(backlog, until=timezone.now() + dt.timedelta(hours=1))
    evaluate()
    end_incident()
    evaluate()
    assert Alert.objects.get().closed_at
    assert messages() == []


def test_the_end_of_a_reported_alert_is_reported_while_its_rule_is_muted(
    backlog: AlertRule,
) -> None:
    evaluate()
    alerts.mute(backlog, until=timezone.now() + dt.timedelta(hours=1))
    end_incident()
    evaluate()
    assert messages() == ["opened", "closed"]


def test_unmute_reports_again(backlog: AlertRule) -> None:
    alerts.mute(backlog, until=timezone.now() + dt.timedelta(hours=1))
    alerts.unmute(backlog)
    evaluate()
    assert messages() == ["opened"]


@pytest.mark.parametrize("days", [-1, 366])
def test_a_mute_ends_in_the_future_within_a_year(backlog: AlertRule, days: int) -> None:
    with pytest.raises(InvalidInput):
        alerts.mute(backlog, until=timezone.now() + dt.timedelta(days=days))


def test_the_end_is_reported_to_those_who_know_of_the_opening(backlog: AlertRule) -> None:
    evaluate()
    alerts.change(backlog, webhook_url="https://example.org/other")
    end_incident()
    evaluate()
    assert messages() == ["opened", "closed"]
    assert Alert.objects.get().webhook_url == WEBHOOK


def test_a_rule_that_gets_a_receiver_reports_what_is_open(backlog: AlertRule) -> None:
    alerts.change(backlog, webhook_url="")
    evaluate()
    assert messages() == []
    alerts.change(backlog, webhook_url=WEBHOOK)
    evaluate()
    assert messages() == ["opened"]


def test_the_alerts_of_a_disabled_rule_close(backlog: AlertRule) -> None:
    evaluate()
    alerts.change(backlog, enabled=False)
    assert not Alert.objects.open()
    assert messages() == ["opened", "closed"]
    assert evaluate() == 0


def test_the_alerts_of_a_deleted_rule_close_and_stay_in_the_history(backlog: AlertRule) -> None:
    evaluate()
    alerts.remove(backlog)
    alert = Alert.objects.get()
    assert (alert.rule_id, alert.rule_name, alert.closed_at is None) == (None, "backlog", False)
    assert messages() == ["opened", "closed"]
    with pytest.raises(AlertGone):
        alerts.change(backlog, threshold=2)


def test_an_alert_is_acknowledged_by_the_first_name(backlog: AlertRule) -> None:
    evaluate()
    alert = Alert.objects.get()
    assert alerts.acknowledge(alert, name="ada").acknowledged_by == "ada"
    acknowledged = alerts.acknowledge(alert, name="bob")
    assert (acknowledged.acknowledged_by, acknowledged.acknowledged_at is None) == ("ada", False)
    evaluate()
    end_incident()
    evaluate()
    assert Alert.objects.get().acknowledged_by == "ada"
    alert.delete()
    with pytest.raises(AlertGone):
        alerts.acknowledge(alert, name="ada")


def test_old_closed_alerts_are_pruned(backlog: AlertRule, settings: Any) -> None:
    settings.RETENTION_FAILED_DAYS = 10
    evaluate()
    age(opened_at=11 * 86_400)
    assert alerts.prune() == 0
    end_incident()
    evaluate()
    assert alerts.prune() == 0
    age(closed_at=11 * 86_400)
    settings.RETENTION_FAILED_DAYS = 0
    assert alerts.prune() == 0
    settings.RETENTION_FAILED_DAYS = 10
    assert alerts.prune() == 1


def test_the_opening_and_the_end_are_each_one_line_of_the_log(
    backlog: AlertRule, caplog: Any, django_capture_on_commit_callbacks: Any
) -> None:
    with caplog.at_level(logging.INFO, "tasks.alerts"):
        for _ in range(2):
            with django_capture_on_commit_callbacks(execute=True):
                evaluate()
        end_incident()
        with django_capture_on_commit_callbacks(execute=True):
            evaluate()
    lines = [line for line in caplog.records if line.name.startswith("tasks.alerts")]
    assert [(line.levelname, line.message) for line in lines] == [
        ("WARNING", "alert opened"),
        ("INFO", "alert closed"),
    ]
    assert (lines[0].rule, lines[0].subject) == ("backlog", "a")


@contextmanager
def unreadable_breakers() -> Iterator[None]:
    """Make the condition of circuits fail, by a table with another name."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE tasks_breaker RENAME TO tasks_breaker_away")
        yield
        cursor.execute("ALTER TABLE tasks_breaker_away RENAME TO tasks_breaker")


def test_a_condition_that_cannot_be_read_stops_no_other_and_is_an_alert_of_its_own(
    rule: Rule, backlog: AlertRule
) -> None:
    rule("circuit_open", webhook_url=WEBHOOK)
    with unreadable_breakers():
        assert evaluate() == 2
        assert list(Alert.objects.open().values_list("subject", flat=True)) == ["a"]
        Alert.objects.filter(subject=UNEVALUATED).update(
            true_since=timezone.now() - dt.timedelta(seconds=60)
        )
        evaluate()
    alert = Alert.objects.open().get(subject=UNEVALUATED)
    assert alert.sentence == "The condition could not be read (UndefinedTable)."
    assert AlertRule.objects.get(condition="circuit_open").last_error == alert.sentence
    evaluate()
    alert.refresh_from_db()
    assert alert.closed_at
    assert AlertRule.objects.get(condition="circuit_open").last_error == ""


def test_an_alert_stays_open_while_its_condition_cannot_be_read(rule: Rule) -> None:
    rule("circuit_open")
    Breaker.objects.create(name="llm", failures=5, open_until=timezone.now())
    evaluate()
    with unreadable_breakers():
        evaluate()
        assert Alert.objects.open().get().subject == "llm"
