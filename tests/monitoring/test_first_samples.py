"""Counters begin with a sample of 0, without which Prometheus does not see the first increase."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from tasks.counts import ATTEMPTS, ENDED, SUBMITTED, counts
from tasks.lifecycle.ending import RELEASED
from tasks.models import Outcome, Status
from tasks.models.task import TERMINAL
from tests.api.test_metrics import flush, samples

pytestmark = pytest.mark.django_db


def test_counters_begin_with_zero_for_each_known_queue_and_kind(api: APIClient) -> None:
    counts.add(SUBMITTED, "slow", "test.script")
    flush()
    shown = samples(api)
    # The labels are in the order of their names.
    for queue in ("default", "slow"):
        labels = "test.script", queue
        ended = {status for status in Status if ("tasks_ended_total", (*labels, status)) in shown}
        assert ended == set(TERMINAL)
        assert {shown["tasks_ended_total", (*labels, status)] for status in ended} == {0}
        assert shown["tasks_attempts_total", ("test.script", "crashed", queue)] == 0
        assert shown["tasks_retried_total", labels] == shown["tasks_started_total", labels] == 0
    assert (
        shown["tasks_callbacks_total", ("no_answer",)] == shown["tasks_leases_lost_total", ()] == 0
    )


def test_the_values_that_begin_with_zero_are_those_that_exist() -> None:
    outcomes = {*Outcome} - {Outcome.RUNNING, Outcome.LOST} | {RELEASED}
    assert set(ATTEMPTS.values) == outcomes
    assert set(ENDED.values) == set(TERMINAL)
