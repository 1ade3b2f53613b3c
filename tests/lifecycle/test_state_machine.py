"""R47, small: tasks and jobs stay consistent; `make faults ROW=R47` tries many more orders."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.lifecycle.machine import TaskLives

QUICK = settings(
    max_examples=25,
    stateful_step_count=40,
    deadline=None,
    database=None,
    print_blob=True,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow],
)


@pytest.mark.django_db(transaction=True)
def test_tasks_and_jobs_stay_consistent_after_any_order_of_moves():
    run_state_machine_as_test(TaskLives, settings=QUICK)
