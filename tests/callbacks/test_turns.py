"""Turns of callbacks by receiver, and their postponement when a receiver does not answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from tasks import lifecycle, sql
from tasks.callbacks import host_limits, postpone
from tasks.callbacks.kind import deliver
from tasks.callbacks.post import NoAnswer
from tasks.callbacks.signed_post import Undelivered
from tasks.kinds import Snooze
from tasks.lifecycle.ending import completed
from tasks.lifecycle.preparation import prepare
from tasks.models import Status, Task
from tests.factories import make_context, make_worker
from tests.lifecycle.claiming import claim, finish
from tests.queue_rows import execute, jobs
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db

DEAD = "https://dead.example.com/hook"
HEALTHY = "https://healthy.example.com/hook"


def submit_callbacks(url: str, count: int, *, owner: User | None = None) -> None:
    """End tasks with a URL, so that their callbacks wait."""
    submissions = [prepare("test.script", callback_url=url) for _ in range(count)]
    lifecycle.submit_many(submissions, owner=owner)
    claims = claim(make_worker(), limit=count, queues=["default"])
    finish(*(completed(claimed, {}) for claimed in claims))


def claimed_urls(limit: int) -> list[str]:
    """Claim callbacks; return the URLs that they are for."""
    task_ids = [claimed.input["task_id"] for claimed in claim(make_worker(), limit=limit)]
    urls = dict(Task.objects.values_list("id", "callback_url"))
    return [url for id, url in urls.items() if str(id) in task_ids]


def postpone_waiting(url: str, owner: User | None = None) -> None:
    owner_id = owner.pk if owner else None
    postpone.postpone_callbacks(owner_id=owner_id, url=url, pause=30.0, spread=30.0)


def postponed_count() -> int:
    later = Task.objects.filter(kind="callback.deliver", scheduled_at__gt=timezone.now())
    assert later.count() == sum(job.scheduled_at is not None for job in jobs())
    return later.count()


def deliver_one() -> None:
    (claimed,) = claim(make_worker(), limit=1)
    context = make_context(task_id=claimed.id, soft_time_limit=25)
    deliver(claimed.input, context)


@pytest.fixture
def two_slots() -> Iterator[None]:
    host_limits.reset()
    host_limits.set_capacity(2)
    yield
    host_limits.set_capacity(settings.WORKER_CONCURRENCY)
    host_limits.reset()


def test_a_callback_does_not_wait_behind_all_those_to_another_receiver(user: User) -> None:
    submit_callbacks(DEAD, 30, owner=user)
    claimed_urls(10)
    submit_callbacks(HEALTHY, 2, owner=user)
    assert claimed_urls(4).count(HEALTHY) == 2


def test_paths_of_one_host_share_its_turns(user: User) -> None:
    submit_callbacks(f"{DEAD}/1", 20)
    submit_callbacks(f"{DEAD}/2", 2)
    submit_callbacks("https://dead.example.com?3", 2)
    assert set(claimed_urls(5)) == {f"{DEAD}/1"}
    assert execute("SELECT count(DISTINCT tasks_owner) FROM procrastinate_jobs") == [(1,)]


def test_all_callbacks_to_a_receiver_are_postponed_without_using_an_attempt(user: User) -> None:
    submit_callbacks(DEAD, 10, owner=user)
    submit_callbacks(HEALTHY, 3, owner=user)
    submit_callbacks(DEAD, 2)
    before = timezone.now()
    postpone_waiting(f"{DEAD}/another/path", user)
    assert postponed_count() == 10
    times = list(Task.objects.exclude(scheduled_at=None).values_list("scheduled_at", flat=True))
    pauses = [(time - before).total_seconds() for time in times if time]
    assert 30 <= min(pauses) < max(pauses) <= 61
    assert len(claimed_urls(20)) == 5
    assert not Task.objects.filter(status=Status.PENDING, attempt__gt=0).exists()


def test_one_attempt_at_a_busy_host_postpones_all_that_wait(two_slots: None) -> None:
    submit_callbacks(DEAD, 5)
    with host_limits.host_slot("dead.example.com"), pytest.raises(Snooze):
        deliver_one()
    assert postponed_count() == 4


def test_one_attempt_at_a_host_that_is_down_postpones_all_that_wait(two_slots: None) -> None:
    submit_callbacks(DEAD, 5)
    with suppress(NoAnswer), host_limits.host_slot("dead.example.com"):
        raise NoAnswer
    with pytest.raises(Undelivered):
        deliver_one()
    assert postponed_count() == 4


def test_only_one_of_several_attempts_at_a_busy_host_postpones_callbacks(
    two_slots: None,
) -> None:
    with host_limits.host_slot("dead.example.com"):
        for waiting in (5, 3):
            submit_callbacks(DEAD, waiting)
            with pytest.raises(Snooze):
                deliver_one()
    assert postponed_count() == 4
    assert host_limits.should_postpone("dead.example.com", owner_id=1)


def test_more_callbacks_than_one_statement_takes_are_all_postponed(user: User) -> None:
    submit_callbacks(DEAD, postpone.POSTPONE_LIMIT + 1, owner=user)
    postpone_waiting(DEAD, user)
    assert postponed_count() == postpone.POSTPONE_LIMIT + 1


def test_callbacks_that_would_come_earlier_are_postponed_with_the_others(user: User) -> None:
    submit_callbacks(DEAD, 3)
    postpone_waiting(DEAD)
    submit_callbacks(DEAD, 3)
    submit_callbacks(DEAD, 1, owner=user)
    execute("UPDATE procrastinate_jobs SET scheduled_at = now() + interval '9 s' WHERE id % 2 = 0")
    postpone.postpone_callbacks(owner_id=None, url=DEAD, pause=60.0, include_earlier=True)
    times = list(Task.objects.exclude(scheduled_at=None).values_list("scheduled_at", flat=True))
    assert (len(times), len(set(times))) == (6, 1)


def another_second(seconds: Sequence[Any]) -> Any:
    """Return the second of the database's clock once it is none of these."""
    ((second,),) = execute("SELECT date_trunc('second', clock_timestamp())")
    return None if second in seconds else second


def test_a_postponed_callback_is_not_postponed_again_by_the_same_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(postpone, "POSTPONE_LIMIT", 1)
    submit_callbacks(DEAD, 2)
    seconds: list[Any] = []

    def at_another_second(run: Callable[..., Any], statement: str, *arguments: Any) -> Any:
        if statement == sql.POSTPONE:
            assert len(seconds) < 3, "a postponed callback is postponed again"
            seconds.append(wait_until(lambda: another_second(seconds)))
        return run(statement, *arguments)

    with connection.execute_wrapper(at_another_second):
        postpone.postpone_callbacks(owner_id=None, url=DEAD, pause=60.0, include_earlier=True)
    assert len(seconds) == 3
    assert postponed_count() == 2


def test_postponed_callbacks_come_back_in_groups(user: User) -> None:
    submit_callbacks(DEAD, 20)
    postpone_waiting(DEAD)
    times = Task.objects.exclude(scheduled_at=None).values_list("scheduled_at", flat=True)
    assert all(time and time.microsecond == 0 for time in times)


def test_postponed_callbacks_come_back_in_the_turns_of_their_receiver(user: User) -> None:
    submit_callbacks(DEAD, 10)
    postpone_waiting(DEAD)
    submit_callbacks(HEALTHY, 10)
    execute("UPDATE procrastinate_jobs SET scheduled_at = now() WHERE scheduled_at IS NOT NULL")
    assert 4 <= claimed_urls(10).count(DEAD) <= 6


def test_a_callback_that_was_tried_or_is_running_is_not_postponed(user: User) -> None:
    submit_callbacks(DEAD, 3)
    (running,) = claim(make_worker(), limit=1)
    execute(
        "UPDATE procrastinate_jobs SET attempts = 1 WHERE id <> %s AND id = (SELECT max(id)"
        " FROM procrastinate_jobs)",
        [running.job_id],
    )
    postpone_waiting(DEAD)
    assert postponed_count() == 1


def test_a_postponed_callback_can_be_cancelled(user: Any) -> None:
    submit_callbacks(DEAD, 1)
    postpone_waiting(DEAD)
    lifecycle.cancel(Task.objects.get(kind="callback.deliver"))
    assert jobs() == []
