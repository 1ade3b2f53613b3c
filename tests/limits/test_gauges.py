"""The gauges of limits in /metrics."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

import tasks
from tasks.models import Limit, Task
from tasks.stats import queues_status
from tests.factories import make_worker
from tests.lifecycle.claiming import claim
from tests.limits.rules import make_limit, stage
from tests.queue_rows import execute


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


@pytest.mark.django_db
def test_blocked_tasks_are_not_due() -> None:
    make_limit(concurrent=1)
    for _ in range(3):
        tasks.submit("test.script")
    tasks.submit("test.script", delay=60)
    tasks.submit("test.cached", {"value": 1}, queue="other")
    tasks.submit("test.cached", {"value": 1}, queue="other")
    long_ago = timezone.now() - dt.timedelta(hours=1)
    Task.objects.update(created_at=long_ago)
    assert len(claim(make_worker())) == 2
    loads = queues_status(exact=True).by_queue
    default, other = loads["default"], loads["other"]
    assert (default.pending, default.scheduled, default.blocked, default.due) == (3, 1, 2, 0)
    assert (other.pending, other.blocked, other.due, other.processing) == (1, 1, 0, 1)
    assert default.oldest_age is other.oldest_age is None
    Limit.objects.update(concurrent=2, changed_at=timezone.now())
    execute("UPDATE tasks_line SET look_at = now()")
    stage(limit=100)
    default = queues_status(exact=True).by_queue["default"]
    assert (default.blocked, default.due) == (1, 1)
    assert default.oldest_age is not None
    assert default.oldest_age > 3_000
