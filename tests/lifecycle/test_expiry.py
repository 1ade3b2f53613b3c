"""Expiry: a task that no worker took in time is cancelled and never runs."""

from __future__ import annotations

import datetime as dt
from contextlib import closing
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

import tasks
from tasks import lifecycle, sql
from tasks.errors import InvalidInput
from tasks.lifecycle.ending import interrupted, released
from tasks.models import Status, Task
from tests.factories import make_worker
from tests.lifecycle.claiming import claim, finish
from tests.lifecycle.known import ENDINGS
from tests.limits.rules import make_limit, stage
from tests.queue_rows import execute, jobs

pytestmark = pytest.mark.django_db


def let_expire(**conditions: Any) -> None:
    """Make tasks expire a moment ago."""
    [[now]] = execute("SELECT statement_timestamp()")
    Task.objects.filter(**conditions).update(expires_at=now - dt.timedelta(seconds=1))


def test_a_task_expires_so_long_after_its_submit() -> None:
    tasks.submit("test.script", expires_in=90)
    stored = Task.objects.get()
    assert stored.expires_at == stored.created_at + dt.timedelta(seconds=90)
    assert lifecycle.expire() == 0
    assert [held.id for held in claim(make_worker())] == [stored.id]


def test_a_kind_can_say_when_its_tasks_expire() -> None:
    for expires_in, seconds in ((None, 3600), (5, 5)):
        task = tasks.submit("test.expiring", expires_in=expires_in)
        stored = Task.objects.get(pk=task.pk)
        assert stored.expires_at == stored.created_at + dt.timedelta(seconds=seconds)


def test_an_expired_task_is_not_claimed_and_ends_as_cancelled() -> None:
    task = tasks.submit("test.script", expires_in=90, callback_url="https://example.com/done")
    let_expire()
    assert claim(make_worker()) == []
    assert Task.objects.get().status == Status.PENDING
    assert lifecycle.expire() == 1
    stored = Task.objects.get(pk=task.pk)
    assert (stored.status, stored.attempt, stored.started_at) == (Status.CANCELLED, 0, None)
    assert stored.error["type"] == "Expired"
    assert f"{stored.expires_at:%Y-%m-%d %H:%M:%S} UTC" in stored.error["detail"]
    callback = Task.objects.get(kind="callback.deliver")
    assert callback.input["task_id"] == str(task.pk)
    assert callback.input["status"] == "CANCELLED"
    assert [job.task_id for job in jobs()] == [str(callback.pk)]


def test_a_task_that_expires_while_it_is_scheduled_or_blocked_is_cancelled() -> None:
    make_limit(name="narrow", concurrent=1)
    tasks.submit("test.script", queue="narrow")
    tasks.submit("test.script", {"n": 1}, queue="narrow", expires_in=90)
    tasks.submit("test.script", {"n": 2}, delay=60, expires_in=90)
    stage(limit=100)
    let_expire(expires_at__isnull=False)
    assert lifecycle.expire() == 2
    assert len(jobs()) == 1
    worker = make_worker()
    [held] = claim(worker)
    finish(ENDINGS["complete"](held))
    assert claim(worker) == []


@pytest.mark.parametrize("how", ["retry", "snooze", "interrupt", "release", "lost"])
def test_a_task_that_has_begun_does_not_expire(how: str) -> None:
    worker = make_worker(silent_for=0 if how != "lost" else 60)
    task = tasks.submit("test.script", expires_in=90)
    [held] = claim(worker)
    if how == "lost":
        lifecycle.rescue()
    else:
        finish({"interrupt": interrupted, "release": released, **ENDINGS}[how](held))
    let_expire()
    assert lifecycle.expire() == 0
    Task.objects.update(scheduled_at=None)
    execute("UPDATE procrastinate_jobs SET scheduled_at = NULL")
    assert [again.id for again in claim(make_worker("test:2"))] == [task.id]


def test_a_running_task_does_not_expire() -> None:
    tasks.submit("test.script", expires_in=90)
    claim(make_worker())
    let_expire()
    assert lifecycle.expire() == 0
    assert Task.objects.get().status == Status.PROCESSING


def test_an_expired_task_that_is_retried_by_hand_runs() -> None:
    task = tasks.submit("test.script", expires_in=90)
    let_expire()
    lifecycle.expire()
    lifecycle.retry(task)
    assert Task.objects.get().expires_at is None
    assert [held.id for held in claim(make_worker())] == [task.id]


def test_the_reconciler_does_not_start_a_task_that_has_expired() -> None:
    tasks.submit("test.script", expires_in=90)
    let_expire()
    claim(make_worker())
    assert jobs() == []
    lifecycle.reconcile()
    assert claim(make_worker("test:2")) == []
    assert lifecycle.expire() == 1


def test_more_tasks_than_one_group_expire(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle.verbs, "EXPIRE_LIMIT", 2)
    for _ in range(5):
        tasks.submit("test.script", expires_in=90)
    let_expire()
    assert lifecycle.expire() == 5
    assert jobs() == []


@pytest.mark.django_db(transaction=True)
def test_a_task_that_another_transaction_holds_expires_in_a_later_round() -> None:
    tasks.submit("test.script", expires_in=90)
    let_expire()
    with closing(connection.copy()) as other, transaction.atomic():
        execute("SELECT 1 FROM tasks_task FOR UPDATE")
        with other.cursor() as cursor:
            cursor.execute(sql.EXPIRE, {"limit": 10})
            assert cursor.fetchall() == []
    assert lifecycle.expire() == 1


@pytest.mark.parametrize("expires_in", [0, -1, float("nan"), "soon", True, 10**12])
def test_what_is_not_a_period_is_refused(expires_in: Any) -> None:
    with pytest.raises(InvalidInput) as refusal:
        tasks.submit("test.script", expires_in=expires_in)
    assert [error.field for error in refusal.value.errors] == ["expires_in"]


@pytest.mark.parametrize(
    "options",
    [
        {"delay": 60, "expires_in": 60},
        {"scheduled_at": timezone.now() + dt.timedelta(days=1), "expires_in": 60},
    ],
)
def test_an_expiry_before_the_start_is_refused(options: Any) -> None:
    with pytest.raises(InvalidInput, match="expire before its start"):
        tasks.submit("test.script", **options)


def test_an_expiry_of_the_kind_before_the_start_is_refused() -> None:
    with pytest.raises(InvalidInput, match="expire before its start: after 3600 s"):
        tasks.submit("test.expiring", delay=4000)
    assert tasks.submit("test.expiring", delay=4000, expires_in=5000).expires_at
