"""Evaluations of rules: one at a time for each rule, once in an interval, in one transaction."""

from __future__ import annotations

import datetime as dt
import threading

import pytest
from django.db import connection, transaction
from django.utils import timezone

from tasks import alerts
from tasks.models import Alert, AlertRule, Status, Task
from tests.alerts.conftest import evaluate, messages

pytestmark = pytest.mark.django_db


def test_a_rule_is_evaluated_once_in_an_interval(backlog: AlertRule) -> None:
    assert alerts.evaluate_due() == 1
    assert alerts.evaluate_due() == 0
    AlertRule.objects.update(evaluated_at=timezone.now() - dt.timedelta(seconds=alerts.EVERY))
    assert alerts.evaluate_due() == 1


def test_an_evaluation_in_the_future_does_not_delay_the_next_one(backlog: AlertRule) -> None:
    AlertRule.objects.update(evaluated_at=timezone.now() + dt.timedelta(hours=1))
    assert alerts.evaluate_due() == 1


@pytest.mark.django_db(transaction=True)
def test_concurrent_evaluators_open_one_alert_with_one_message(backlog: AlertRule) -> None:
    ready = threading.Barrier(4)
    counts: list[int] = []

    def run() -> None:
        ready.wait()
        counts.append(alerts.evaluate_due())
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(counts) == 1
    assert Alert.objects.count() == 1
    assert messages() == ["opened"]


@pytest.mark.django_db(transaction=True)
def test_a_rule_that_another_process_evaluates_is_skipped(backlog: AlertRule) -> None:
    counts: list[int] = []

    def run() -> None:
        counts.append(alerts.evaluate_due())
        connection.close()

    with transaction.atomic():
        AlertRule.objects.select_for_update().get()
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    assert counts == [0]


@pytest.mark.django_db(transaction=True)
def test_an_evaluation_that_is_rolled_back_leaves_neither_alert_nor_message(
    backlog: AlertRule,
) -> None:
    with transaction.atomic():
        evaluate()
        assert messages() == ["opened"]
        transaction.set_rollback(True)
    assert not Alert.objects.exists()
    assert messages() == []
    assert Task.objects.filter(status=Status.PENDING).count() == 1
