from __future__ import annotations

import datetime as dt
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone

import tasks
from tasks import lifecycle, sql, stats
from tasks.models import Attempt, Status, Task
from tests.factories import make_task
from tests.queue_rows import execute

pytestmark = pytest.mark.django_db
DAY = dt.timedelta(days=1)


def test_tasks_past_their_retention_are_deleted_with_their_history(settings):
    settings.RETENTION_COMPLETED_DAYS, settings.RETENTION_FAILED_DAYS = 30, 90
    ended = timezone.now() - dt.timedelta(days=60)
    for status in (Status.COMPLETED, Status.CANCELLED, Status.FAILED):
        make_task(status, finished_at=ended)
    make_task(Status.COMPLETED)
    make_task(created_at=ended)
    assert lifecycle.prune() == 2
    assert sorted(Task.objects.values_list("status", flat=True)) == [
        Status.COMPLETED, Status.FAILED, Status.PENDING,
    ]  # fmt: skip
    settings.RETENTION_FAILED_DAYS = 30
    assert lifecycle.prune() == 1
    assert not Attempt.objects.exists()


def test_pruning_goes_on_until_nothing_is_left(monkeypatch, settings):
    monkeypatch.setattr("tasks.lifecycle.pruning.PRUNE_LIMIT", 2)
    settings.RETENTION_COMPLETED_DAYS = 1
    for _ in range(5):
        make_task(Status.COMPLETED, finished_at=timezone.now() - dt.timedelta(days=2))
    assert lifecycle.prune() == 5


@pytest.mark.parametrize(
    ("kept", "pruned"),
    [
        ((0, 0), []),
        ((0, 1), [Status.FAILED]),
        ((1, 0), [Status.CANCELLED, Status.COMPLETED]),
    ],
)
def test_a_retention_of_zero_days_keeps_tasks_without_limit(settings, kept, pruned):
    settings.RETENTION_COMPLETED_DAYS, settings.RETENTION_FAILED_DAYS = kept
    long_ago = timezone.now() - dt.timedelta(days=40_000)
    for status in (Status.COMPLETED, Status.CANCELLED, Status.FAILED):
        make_task(status, created_at=long_ago, finished_at=long_ago)
    make_task()
    assert stats.prunable() == len(pruned)
    assert lifecycle.prune() == len(pruned)
    left = {Status.COMPLETED, Status.CANCELLED, Status.FAILED, Status.PENDING} - set(pruned)
    assert set(Task.objects.values_list("status", flat=True)) == left


def test_tasks_that_reach_their_retention_after_the_start_are_left(monkeypatch, settings):
    monkeypatch.setattr("tasks.lifecycle.pruning.PRUNE_LIMIT", 1)
    settings.RETENTION_COMPLETED_DAYS = settings.RETENTION_FAILED_DAYS = 1
    _make_ended_tasks(age=dt.timedelta(days=2))
    pruned = []
    for batch in lifecycle.prune_batches():
        pruned.append(batch)
        assert len(pruned) <= 2, "tasks that reached their retention since the start are deleted"
        _make_ended_tasks(age=dt.timedelta(days=1))
    assert pruned == [1, 1]
    assert Task.objects.count() == 4


def _make_ended_tasks(*, age):
    for status in (Status.COMPLETED, Status.FAILED):
        make_task(status, finished_at=timezone.now() - age)


def test_the_index_on_the_end_finds_old_tasks_among_many_that_are_kept():
    ended = (Task(status=Status.COMPLETED, finished_at=timezone.now()) for _ in range(10_000))
    Task.objects.bulk_create(ended)
    execute("ANALYZE tasks_task")
    execute("SELECT brin_summarize_new_values('task_finished_brin')")
    now = timezone.now()
    params = {"statuses": ["COMPLETED"], "start": now, "days": 30, "limit": 1_000}
    plan = execute(f"EXPLAIN {sql.PRUNE}", {**params, "since": now - DAY * 99, "until": now})
    assert any("Bitmap Index Scan on task_finished_brin" in line for (line,) in plan)


def test_the_command_prints_how_many_tasks_it_deleted(settings):
    settings.RETENTION_COMPLETED_DAYS = 30
    for days in (29, 31, 32):
        make_task(Status.COMPLETED, finished_at=timezone.now() - dt.timedelta(days=days))
    output = StringIO()
    call_command("prune", stdout=output)
    assert output.getvalue() == "2 tasks deleted\n"
    assert Task.objects.count() == 1


def test_a_kind_keeps_its_tasks_for_a_period_of_its_own(settings):
    settings.RETENTION_COMPLETED_DAYS, settings.RETENTION_FAILED_DAYS = 30, 90
    for keep_days, ages in ((7, (1, 6, 8, 31)), (365, (31, 300, 366)), (0, (31, 9_000))):
        for age in ages:
            for status in (Status.COMPLETED, Status.FAILED):
                make_task(status, finished_at=timezone.now() - DAY * age, keep_days=keep_days)
    for age in (29, 31):
        make_task(Status.COMPLETED, finished_at=timezone.now() - DAY * age)
    make_task(keep_days=7)
    assert stats.prunable() == 2 * 3 + 1
    assert lifecycle.prune() == 2 * 3 + 1
    left = Task.objects.exclude(finished_at=None).values_list("keep_days", "finished_at")
    assert sorted((days or -1, round((timezone.now() - end) / DAY)) for days, end in left) == [
        (-1, 29), (-1, 31), (-1, 31), (-1, 9_000), (-1, 9_000), (7, 1), (7, 1), (7, 6), (7, 6),
        (365, 31), (365, 31), (365, 300), (365, 300),
    ]  # fmt: skip
    assert lifecycle.prune() == stats.prunable() == 0


def test_the_period_is_that_of_the_kind_at_the_submit():
    task = tasks.submit("test.kept", {})
    assert Task.objects.get(pk=task.pk).keep_days == 2
    assert Task.objects.get(pk=tasks.submit("test.script", {}).pk).keep_days is None


def test_tasks_of_all_ages_are_deleted_beside_those_that_are_kept_longer(settings, monkeypatch):
    monkeypatch.setattr("tasks.lifecycle.pruning.PRUNE_LIMIT", 3)
    settings.RETENTION_COMPLETED_DAYS = 30
    for hours in (*range(0, 60, 7), 24 * 400):
        ended = timezone.now() - DAY * 30 - dt.timedelta(hours=hours, minutes=1)
        make_task(Status.COMPLETED, finished_at=ended)
        make_task(Status.COMPLETED, finished_at=ended, keep_days=0)
    make_task(Status.COMPLETED, finished_at=timezone.now() - DAY * 30 + dt.timedelta(minutes=1))
    assert list(lifecycle.prune_batches()).count(0) == 0
    assert Task.objects.filter(keep_days=None).count() == 1
    assert Task.objects.filter(keep_days=0).count() == 10
