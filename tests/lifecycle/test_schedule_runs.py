"""Runs of schedules: beside an earlier task, after missed ticks, spread, and kept."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from tasks import lifecycle, schedules
from tasks.errors import InvalidInput
from tasks.lifecycle.ending import completed
from tasks.models import Schedule, ScheduleRun, Task
from tests.factories import make_worker
from tests.lifecycle.claiming import claim, finish
from tests.threads import in_threads

pytestmark = pytest.mark.django_db

SECOND, DAY = dt.timedelta(seconds=1), dt.timedelta(days=1)


@pytest.fixture(autouse=True)
def _no_schedules(db: None) -> None:
    """Delete the schedules that an installation begins with."""
    Schedule.objects.all().delete()


def make(**fields: Any) -> Schedule:
    values: dict[str, Any] = {"name": "often", "kind": "test.script", "cron": "*/5 * * * *"}
    return schedules.create(**{**values, **fields})


def fire(schedule: Schedule, ago: dt.timedelta = SECOND) -> int:
    """Let a tick be due since then, and fire; return how many tasks were submitted."""
    Schedule.objects.filter(pk=schedule.pk).update(next_at=timezone.now() - ago)
    return schedules.fire_due()


def end_all() -> None:
    """Let a worker complete what waits."""
    worker = make_worker(f"test:{timezone.now()}")
    while claims := claim(worker, limit=50):
        finish(*(completed(held, {}) for held in claims))


def notes(schedule: Schedule) -> list[str]:
    return list(schedule.runs.order_by("id").values_list("note", flat=True))


def test_a_run_may_start_beside_an_earlier_task() -> None:
    schedule = make()
    assert [fire(schedule), fire(schedule)] == [1, 1]
    assert notes(schedule) == ["", ""]


def test_a_run_is_left_out_while_an_earlier_task_has_not_ended() -> None:
    schedule = make(overlap="skip")
    assert [fire(schedule), fire(schedule)] == [1, 0]
    claim(make_worker())
    assert fire(schedule) == 0
    assert notes(schedule) == ["", *["Left out: a task of an earlier run had not ended."] * 2]
    lifecycle.cancel_many(list(Task.objects.values_list("pk", flat=True)))
    assert fire(schedule) == 0
    Task.objects.all().delete()
    assert fire(schedule) == 1
    end_all()
    assert fire(schedule) == 1


def test_a_run_waits_for_the_end_of_an_earlier_task_and_holds_up_no_other() -> None:
    schedule = make(overlap="queue")
    assert fire(schedule) == 1
    assert fire(schedule) == 0
    other = make(name="other")
    assert fire(other) == 1
    held = Schedule.objects.get(pk=schedule.pk)
    assert held.next_at is not None
    assert held.next_at < timezone.now()
    assert held.is_held
    assert schedules.seconds_until_next() is not None
    assert schedules.seconds_until_next() > 0
    end_all()
    assert schedules.fire_due() == 1
    assert len(notes(schedule)) == 2
    assert schedules.fire_due() == 0


def test_a_retried_task_of_an_earlier_run_counts_too() -> None:
    schedule = make(overlap="skip")
    fire(schedule)
    first = Task.objects.get()
    lifecycle.cancel(first)
    assert fire(schedule) == 1
    end_all()
    lifecycle.retry(first)
    assert fire(schedule) == 0


@pytest.mark.parametrize(("catch_up", "submitted"), [("once", 1), ("all", 12)])
def test_missed_ticks(catch_up: str, submitted: int) -> None:
    schedule = make(catch_up=catch_up)
    missed = timezone.now().replace(minute=0, second=0, microsecond=0) - dt.timedelta(hours=1)
    Schedule.objects.filter(pk=schedule.pk).update(next_at=missed)
    # Those of the last hour, and those of this one that are due.
    this_hour = len([n for n in range(0, 60, 5) if n <= timezone.now().minute])
    assert schedules.fire_due() == (submitted + this_hour if catch_up == "all" else submitted)
    assert Schedule.objects.get().next_at > timezone.now()
    if catch_up == "once":
        assert notes(schedule) == [
            f"It also stands for {11 + this_hour} later ones, which had been missed."
        ]
    if catch_up == "all":
        ticks = list(schedule.runs.order_by("id").values_list("tick", flat=True))
        assert ticks[0] == missed
        assert all(after - before == dt.timedelta(minutes=5) for before, after in pairwise(ticks))


def test_missed_ticks_that_are_left_out_are_counted_and_one_that_is_not_too_late_runs() -> None:
    schedule = make(catch_up="none", cron="* * * * *")
    minute = timezone.now().replace(second=0, microsecond=0)
    Schedule.objects.filter(pk=schedule.pk).update(next_at=minute - dt.timedelta(minutes=20))
    assert schedules.fire_due() == 1
    [missed, ran] = schedule.runs.order_by("id")
    assert missed.note.startswith("Missed, with 1")
    assert missed.note.endswith(" later ones: no worker was alive to run it in time.")
    assert timezone.now() - ran.tick < dt.timedelta(seconds=61)
    assert Schedule.objects.get().next_at > timezone.now()


def test_a_tick_that_waited_for_an_earlier_task_is_not_missed() -> None:
    schedule = make(overlap="queue", catch_up="none", cron="0 3 * * *")
    assert fire(schedule) == 1
    assert fire(schedule, ago=600 * SECOND) == 0
    end_all()
    assert schedules.fire_due() == 1
    # Had it ended long ago, nothing but a lack of workers would explain the delay.
    end_all()
    Task.objects.update(finished_at=timezone.now() - 300 * SECOND)
    assert fire(schedule, ago=600 * SECOND) == 0


def test_an_expired_task_holds_up_no_run() -> None:
    schedule = make(overlap="skip", kind="test.expiring")
    assert fire(schedule) == 1
    Task.objects.update(expires_at=timezone.now() - SECOND)
    assert fire(schedule) == 1


@pytest.mark.parametrize("catch_up", ["once", "none", "all"])
def test_a_tick_that_is_a_little_late_runs(catch_up: str) -> None:
    assert fire(make(catch_up=catch_up, cron="0 3 * * *"), ago=30 * SECOND) == 1


def test_of_ticks_that_were_missed_long_ago_only_those_of_the_last_day_run() -> None:
    schedule = make(catch_up="all", cron="0 * * * *")
    assert fire(schedule, ago=400 * DAY) in (24, 25)
    [*_, oldest] = schedule.runs.all()
    assert oldest.note == (
        "Missed, with more than 1,000 later ones: no worker was alive to run it in time."
    )
    assert Schedule.objects.get().next_at > timezone.now()


def test_missed_ticks_run_one_after_the_other_where_runs_wait() -> None:
    schedule = make(catch_up="all", overlap="queue", cron="0 * * * *")
    assert fire(schedule, ago=5 * 3600 * SECOND) == 1
    assert schedules.fire_due() == 0
    fired = 1
    while Schedule.objects.get().next_at < timezone.now():
        end_all()
        assert schedules.fire_due() == 1
        fired += 1
    assert fired in (6, 7)


def test_runs_are_spread_by_their_jitter() -> None:
    schedule = make(jitter=3600)
    for _ in range(8):
        assert fire(schedule) == 1
    due = [task.scheduled_at for task in Task.objects.all()]
    now = timezone.now()
    assert all(each and now - 9 * SECOND < each < now + dt.timedelta(hours=1) for each in due)
    assert len({round(each.timestamp()) for each in due if each}) > 2


def test_the_newest_runs_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.schedules.runs.RUNS_KEPT", 3)
    schedule, other = make(), make(name="other")
    fire(other)
    for _ in range(5):
        fire(schedule)
    kept = list(schedule.runs.values_list("task_id", flat=True))
    newest = Task.objects.filter(metadata__schedule="often").order_by("-id")
    assert kept == [task.pk for task in newest[:3]]
    assert other.runs.count() == 1


def test_a_requested_run_has_no_tick() -> None:
    schedule = make()
    task = schedules.run_now(schedule)
    run = schedule.runs.get()
    assert (run.tick, run.task_id, run.note) == (None, task.pk, "")


def test_runs_end_with_their_schedule() -> None:
    schedule = make()
    schedules.run_now(schedule)
    schedules.remove(schedule)
    assert not ScheduleRun.objects.exists()
    assert Task.objects.count() == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [("overlap", "never"), ("overlap", None), ("catch_up", "twice"), ("jitter", -1),
     ("jitter", 86_401), ("jitter", 1.5), ("jitter", True)],
)  # fmt: skip
def test_a_mistake_is_named(field: str, value: Any) -> None:
    with pytest.raises(InvalidInput) as refusal:
        make(**{field: value})
    assert [error.field for error in refusal.value.errors] == [field]
    schedule = make()
    with pytest.raises(InvalidInput):
        schedules.change(schedule, **{field: value})


def test_a_jitter_longer_than_the_expiry_of_the_kind_is_refused() -> None:
    with pytest.raises(InvalidInput, match="expire before its start") as refusal:
        make(kind="test.expiring", jitter=3600)
    assert [error.field for error in refusal.value.errors] == ["jitter"]
    schedule = make(kind="test.expiring", jitter=3599)
    with pytest.raises(InvalidInput):
        schedules.change(schedule, jitter=3601)


@pytest.mark.django_db(transaction=True)
def test_a_tick_is_left_out_once_however_many_fire_at_once() -> None:
    schedule = make(overlap="skip")
    fire(schedule)
    Schedule.objects.update(next_at=timezone.now() - SECOND)
    assert sum(in_threads(4, schedules.fire_due)) == 0
    assert schedule.runs.count() == 2


@pytest.mark.django_db(transaction=True)
def test_schedules_run_in_the_version_before() -> None:
    schedule = make(overlap="skip")
    fire(schedule)
    try:
        call_command("migrate", "tasks", "0034", verbosity=0)
    finally:
        call_command("migrate", "tasks", verbosity=0)
    assert Schedule.objects.get(pk=schedule.pk).overlap == "allow"
    assert fire(schedule) == 1
