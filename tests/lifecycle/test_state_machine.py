"""R47, small: no order of moves breaks a task; `make faults ROW=R47` tries many more."""

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
def test_no_order_of_moves_breaks_a_task():
    run_state_machine_as_test(TaskLives, settings=QUICK)
