from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from tasks import schedules
from tasks.errors import InvalidInput, ScheduleGone, UnknownKind
from tasks.models import Schedule, Task
from tests.queue_rows import jobs
from tests.threads import in_threads
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db

FIELDS: dict[str, Any] = {"kind": "test.script", "input": {"do": "return"}, "cron": "*/5 * * * *"}
FIRERS = 4


@pytest.fixture(autouse=True)
def _no_schedules(db: None) -> None:
    """Delete the schedules that an installation begins with."""
    Schedule.objects.all().delete()


def make_due(ago: dt.timedelta = dt.timedelta(seconds=1), **fields: Any) -> Schedule:
    """Create a schedule that has been due for so long."""
    schedule = schedules.create(**{"name": "nightly", **FIELDS, **fields})
    schedule.next_at = timezone.now() - ago
    schedule.save()
    return schedule


def refused(**fields: Any) -> set[str]:
    """Return the fields for which a schedule is refused."""
    with pytest.raises(InvalidInput) as caught:
        schedules.create(**{"name": "nightly", **FIELDS, **fields})
    return {error.field for error in caught.value.errors}


def fire_at_once(count: int) -> int:
    """Fire from several threads in the same moment; return how many ticks fired."""
    return sum(in_threads(count, schedules.fire_due))


@pytest.mark.django_db(transaction=True)
def test_a_tick_fires_once_however_many_fire_at_once():
    for number in range(20):
        make_due(name=f"schedule {number}", cron="0 3 * * *")
    assert fire_at_once(FIRERS) == 20
    assert sorted(task.metadata["schedule"] for task in Task.objects.all()) == sorted(
        f"schedule {number}" for number in range(20)
    )
    assert len(jobs()) == 20
    assert fire_at_once(FIRERS) == 0


@pytest.mark.django_db(transaction=True)
def test_a_tick_that_is_rolled_back_before_its_commit_fires_later():
    due = make_due()
    with transaction.atomic():
        assert schedules.fire_due() == 1
        transaction.set_rollback(True)
    assert not Task.objects.exists()
    due.refresh_from_db()
    assert due.next_at < timezone.now()
    assert schedules.fire_due() == 1


@pytest.mark.django_db(transaction=True)
def test_a_tick_that_another_transaction_is_firing_is_left_to_it():
    make_due()
    with transaction.atomic():
        assert schedules.fire_due() == 1
        assert fire_at_once(1) == 0
    assert Task.objects.count() == 1


def test_a_fired_tick_is_recorded_in_the_task_and_the_schedule():
    due = make_due(queue="nights", owner=None)
    assert schedules.fire_due() == 1
    task = Task.objects.get()
    assert (task.kind, task.input, task.queue) == ("test.script", {"do": "return"}, "nights")
    assert task.metadata == {"schedule": "nightly", "tick": due.next_at.isoformat()}
    fired = Schedule.objects.get()
    assert fired.last_task_id == task.id
    assert timezone.now() - fired.last_at < dt.timedelta(minutes=1)
    assert dt.timedelta() < fired.next_at - timezone.now() <= dt.timedelta(minutes=5)


def test_the_task_of_a_schedule_belongs_to_its_owner(user):
    make_due(owner=user)
    schedules.fire_due()
    assert Task.objects.get().owner == user


def test_missed_ticks_fire_once():
    make_due(dt.timedelta(days=3))
    assert schedules.fire_due() == 1
    assert schedules.fire_due() == 0
    assert Task.objects.count() == 1
    assert Schedule.objects.get().next_at > timezone.now()


def test_a_schedule_that_is_not_due_does_not_fire():
    schedules.create(name="nightly", **FIELDS)
    assert schedules.fire_due() == 0
    assert 0 < schedules.seconds_until_next() <= 300


def test_a_disabled_schedule_does_not_fire():
    off = schedules.create(name="nightly", **FIELDS, enabled=False)
    assert off.next_at is None
    assert schedules.fire_due() == 0
    assert schedules.seconds_until_next() is None


def test_a_schedule_that_is_disabled_when_due_does_not_fire_when_enabled_again():
    off = schedules.change(make_due(), enabled=False)
    assert schedules.fire_due() == 0
    on = schedules.change(off, enabled=True)
    assert on.next_at > timezone.now()
    assert schedules.fire_due() == 0


def test_enabling_an_enabled_schedule_skips_no_tick():
    schedules.change(make_due(), enabled=True, name="renamed")
    assert schedules.fire_due() == 1


def test_a_schedule_of_a_kind_unknown_here_is_left_to_others():
    due = make_due()
    Schedule.objects.update(kind="of.tomorrow")
    assert schedules.fire_due() == 0
    assert schedules.seconds_until_next() is None
    Schedule.objects.update(kind=due.kind)
    assert schedules.fire_due() == 1


def test_an_invalid_schedule_records_its_error_and_stops_no_other():
    bad, lost = make_due(dt.timedelta(hours=1)), make_due(dt.timedelta(hours=1), name="lost")
    Schedule.objects.filter(pk=bad.pk).update(queue="not a name")
    Schedule.objects.filter(pk=lost.pk).update(timezone="Mars/Base")
    make_due(name="good")
    assert schedules.fire_due() == 1
    assert Task.objects.get().metadata["schedule"] == "good"
    assert bad.runs.get().note == Schedule.objects.get(pk=bad.pk).last_error
    bad.refresh_from_db()
    assert "queue" in bad.last_error
    assert bad.next_at > timezone.now()
    lost.refresh_from_db()
    assert not lost.enabled
    assert "timezone" in lost.last_error
    assert schedules.change(bad, queue="nights").last_error == ""


def test_a_schedule_that_is_run_by_hand_keeps_its_tick():
    schedule = schedules.create(name="nightly", **FIELDS)
    task = schedules.run_now(schedule)
    assert task.metadata == {"schedule": "nightly"}
    stored = Schedule.objects.get()
    assert (stored.last_task_id, stored.next_at) == (task.id, schedule.next_at)
    off = schedules.change(schedule, enabled=False)
    assert schedules.run_now(off).id != task.id


def test_running_a_schedule_of_an_unknown_kind_is_refused():
    schedule = schedules.create(name="nightly", **FIELDS)
    Schedule.objects.update(kind="of.yesterday")
    with pytest.raises(UnknownKind):
        schedules.run_now(schedule)
    assert Schedule.objects.get().last_task_id is None


def test_a_change_of_cron_or_timezone_moves_the_next_tick():
    schedule = schedules.create(name="nightly", **FIELDS)
    changed = schedules.change(schedule, cron="30 4 1 1 *", timezone="Asia/Tokyo", queue="nights")
    # Half past four in Tokyo is half past seven in the evening in London.
    assert (changed.next_at.month, changed.next_at.day) == (12, 31)
    assert (changed.next_at.hour, changed.next_at.minute) == (19, 30)
    assert schedules.change(changed, queue=None).queue == ""


def test_an_invalid_schedule_is_refused_by_field():
    assert refused(cron="every day") == {"cron"}
    assert refused(cron="61 3 * * *", timezone="Mars/Base") == {"cron", "timezone"}
    assert refused(cron="0 0 3 * * *") == {"cron"}
    assert refused(cron="0 0 30 2 *") == {"cron"}
    assert refused(kind="no.such", name="") == {"kind", "name"}
    assert refused(name="two\nlines") == {"name"}
    assert refused(kind="text.analyze", input={"text": 1}) == {"input.text"}
    assert refused(queue="not a name") == {"queue"}
    assert not Schedule.objects.exists()


def test_two_schedules_cannot_have_the_same_name():
    schedules.create(name="nightly", **FIELDS)
    other = schedules.create(name="other", **FIELDS)
    assert refused() == {"name"}
    with pytest.raises(InvalidInput):
        schedules.change(other, name="nightly")


def test_a_disabled_schedule_may_stay_invalid_until_it_is_enabled():
    schedule = schedules.create(name="nightly", **FIELDS)
    Schedule.objects.update(kind="of.yesterday")
    off = schedules.change(schedule, enabled=False, name="renamed")
    with pytest.raises(InvalidInput) as caught:
        schedules.change(off, enabled=True)
    assert caught.value.errors[0].field == "kind"
    assert not Schedule.objects.get().enabled


def test_a_removed_schedule_is_gone_and_its_tasks_stay():
    due = make_due()
    schedules.fire_due()
    schedules.remove(due)
    schedules.remove(due)
    assert Task.objects.count() == 1
    with pytest.raises(ScheduleGone):
        schedules.run_now(due)
    with pytest.raises(ScheduleGone):
        schedules.change(due, name="other")


def test_an_account_with_schedules_cannot_be_deleted(user):
    schedules.create(name="nightly", **FIELDS, owner=user)
    with pytest.raises(IntegrityError, match="protected"):
        user.delete()


def test_a_worker_fires_a_due_schedule(worker, transactional_db):
    make_due(dt.timedelta(minutes=10))
    worker()
    task = wait_until(Task.objects.first, what="the schedule fired")
    wait_until(lambda: Task.objects.get().status == "COMPLETED", what="the task completed")
    assert task.metadata["schedule"] == "nightly"
    assert Task.objects.count() == 1
