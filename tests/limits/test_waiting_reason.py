"""Why a task waits: each reason, its place in line and the estimate."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

import tasks
from tasks import kinds, lifecycle, limits
from tasks.kinds.exceptions import Retry
from tasks.lifecycle.ending import raised
from tasks.models import Scope, Status, Task
from tasks.stats import Waiting, waiting_reason
from tests.factories import make_task, make_worker
from tests.lifecycle.claiming import claim, finish
from tests.limits.rules import make_limit
from tests.queue_rows import execute

pytestmark = pytest.mark.django_db


def why(task: Task, **options: Any) -> Waiting | None:
    return waiting_reason(Task.objects.get(pk=task.pk), **options)


def place(task: Task) -> tuple[str, int | None]:
    waiting = why(task)
    assert waiting
    return str(waiting.reason), waiting.place


def stage() -> None:
    """Let the leader stage; the worker serves another queue."""
    claim(make_worker("other", queues=["other"]), queues=["other"])


def test_a_task_that_does_not_wait_has_no_reason():
    for status in (Status.PROCESSING, Status.COMPLETED, Status.FAILED, Status.CANCELLED):
        assert why(make_task(status)) is None


def test_a_due_task_waits_for_a_worker_in_its_place():
    make_worker()
    first, second = (tasks.submit("test.script") for _ in range(2))
    urgent = tasks.submit("test.script", priority=5)
    assert [place(task) for task in (urgent, first, second)] == [("due", 1), ("due", 2), ("due", 3)]


def test_owners_take_turns_and_so_do_places():
    make_worker()
    owner = User.objects.create_user("second")
    for _ in range(5):
        tasks.submit("test.script")
    assert place(tasks.submit("test.script", owner=owner)) == ("due", 2)


def test_no_worker_serves_the_queue_or_knows_the_kind():
    make_worker(queues=["other"])
    make_worker(kinds=["test.sum"])
    make_worker(silent_for=600)
    task = tasks.submit("test.script")
    waiting = why(task)
    assert waiting == Waiting(
        reason="no_worker",
        detail="No worker runs that serves the queue default and knows the kind test.script.",
    )
    make_worker(queues=["default"], kinds=["test.script"])
    assert place(task) == ("due", 1)


def test_a_scheduled_task_waits_for_its_time():
    waiting = why(tasks.submit("test.script", delay=3600))
    assert waiting
    assert waiting.reason == "scheduled"
    assert waiting.eta_s == pytest.approx(3600, abs=5)


def test_a_failed_attempt_waits_for_the_next():
    task = tasks.submit("test.script", max_attempts=3)
    (held,) = claim(make_worker())
    finish(raised(held, kinds.get("test.script"), Retry(60)))
    waiting = why(task)
    assert waiting
    assert (waiting.reason, waiting.detail) == ("backoff", "Attempt 1 of 3 failed.")
    assert waiting.eta_s == pytest.approx(60, abs=5)


def test_a_paused_queue_names_its_pause_and_to_operators_who_did_it():
    task = tasks.submit("test.script")
    lifecycle.pause_queue("default", by="root", reason="a migration")
    waiting, for_operators = why(task), why(task, to_operator=True)
    assert waiting
    assert for_operators
    assert waiting.reason == "paused"
    assert waiting.detail.startswith("The queue default has been paused since 20")
    assert waiting.detail.endswith("UTC: a migration")
    assert "root" not in waiting.detail
    assert "UTC by root: a migration" in for_operators.detail


def test_a_full_limit_names_itself_and_the_place_in_its_line():
    make_worker()
    make_limit(Scope.KEY, "test.script", path="customer", concurrent=2)
    submitted = [
        tasks.submit("test.script", {"do": "return", "customer": "acme"}) for _ in range(5)
    ]
    stage()
    waiting = why(submitted[4])
    assert waiting == Waiting(reason="limit", place=3, detail="2 of 2 running for customer acme.")
    assert place(submitted[2]) == ("limit", 1)


def test_lines_of_owners_take_turns_and_so_do_places():
    make_worker()
    make_limit(concurrent=1)
    first, second = (User.objects.create_user(name) for name in ("first", "second"))
    early = [tasks.submit("test.script", owner=first) for _ in range(5)]
    stage()
    late = [tasks.submit("test.script", owner=second) for _ in range(2)]
    urgent = tasks.submit("test.script", owner=second, priority=5)
    stage()
    assert [place(task)[1] for task in (urgent, *early[1:4], *late)] == [1, 2, 4, 6, 3, 5]


def test_a_paused_limit_names_its_pause():
    make_worker()
    limit = make_limit(concurrent=1)
    limits.change(limit, paused=True, paused_reason="their server is down", operator="root")
    task = tasks.submit("test.script")
    stage()
    waiting = why(task, to_operator=True)
    assert waiting
    assert waiting.reason == "limit"
    assert waiting.detail.startswith("The limit of the queue default has been paused since")
    assert waiting.detail.endswith("UTC by root: their server is down")


def test_a_rate_says_when_the_next_may_start():
    make_worker()
    make_limit(rate=6, period=60, burst=1)
    _, second, third = (tasks.submit("test.script") for _ in range(3))
    claim(make_worker())
    stage()
    for task, expected in ((second, 1), (third, 2)):
        waiting = why(task)
        assert waiting
        assert (waiting.reason, waiting.place) == ("limit", expected)
        assert waiting.detail == "At most 6/m may start for the queue default."
        assert waiting.eta_s == pytest.approx(10 * expected, abs=2)


def test_the_estimate_follows_the_pace_of_the_last_minute():
    make_worker()
    now = timezone.now()
    for number in range(1, 21):
        ended = now - dt.timedelta(seconds=number)
        make_task(Status.COMPLETED, started_at=ended - dt.timedelta(seconds=3), finished_at=ended)
    task = tasks.submit("test.script")
    waiting = why(task)
    assert waiting
    # Twenty in twenty seconds.
    assert waiting.eta_s == pytest.approx(1.0, abs=0.2)
    make_limit(name="slow", concurrent=2)
    blocked = [tasks.submit("test.script", queue="slow") for _ in range(5)][-1]
    claim(make_worker(), queues=["slow"])
    waiting = why(blocked)
    assert waiting
    # Two at once run for three seconds each, and this is the third of those that wait.
    assert waiting.place == 3
    assert waiting.eta_s == pytest.approx(6.0, abs=1)
    # Those that run take much longer than those before: when they end is not known.
    Task.objects.filter(status=Status.PROCESSING).update(started_at=now - dt.timedelta(minutes=1))
    waiting = why(blocked)
    assert waiting
    assert (waiting.place, waiting.eta_s) == (3, None)


def test_a_place_far_behind_is_not_counted(monkeypatch):
    monkeypatch.setattr("tasks.stats.reasons.PLACE_LIMIT", 3)
    make_worker()
    submitted = [tasks.submit("test.script") for _ in range(4)]
    assert [place(task)[1] for task in submitted] == [1, 2, 3, None]


def test_a_job_that_was_lost_by_hand_is_no_error():
    task = tasks.submit("test.script")
    execute("DELETE FROM procrastinate_jobs RETURNING id")
    assert why(task) == Waiting(reason="due")
