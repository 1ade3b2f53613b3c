"""The gauges of limits in /metrics."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

import tasks
from tests.factories import make_worker
from tests.lifecycle.claiming import claim
from tests.limits.rules import make_limit


@pytest.mark.django_db
def test_gauges_show_what_runs_and_waits_and_is_allowed(api: APIClient) -> None:
    make_limit(concurrent=1)
    make_limit("owner", "", rate=60, period=60, burst=1, paused=True)
    for _ in range(3):
        tasks.submit("test.script")
    claim(make_worker())
    lines = api.get("/metrics").content.decode().splitlines()
    shown = dict(line.rsplit(" ", 1) for line in lines if line.startswith("tasks_limit_"))
    assert shown == {
        'tasks_limit_running{limit="queue default"}': "1.0",
        'tasks_limit_running{limit="owner"}': "0.0",
        'tasks_limit_waiting{limit="queue default"}': "2.0",
        'tasks_limit_waiting{limit="owner"}': "0.0",
        'tasks_limit_allowed{limit="queue default"}': "1.0",
        'tasks_limit_paused{limit="queue default"}': "0.0",
        'tasks_limit_paused{limit="owner"}': "1.0",
    }
