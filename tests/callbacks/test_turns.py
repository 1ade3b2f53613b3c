"""Whose turn it is among callbacks, and what is put off when a receiver cannot be told."""

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
from tasks.callbacks.kind import Undelivered, deliver
from tasks.callbacks.post import NoAnswer
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


def tell(url: str, count: int, *, owner: User | None = None) -> None:
    """Bring about callbacks to a URL, which wait then."""
    wanted = [prepare("test.script", callback_url=url) for _ in range(count)]
    lifecycle.submit_many(wanted, owner=owner)
    claims = claim(make_worker(), limit=count, queues=["default"])
    finish(*(completed(one, {}) for one in claims))


def claimed_urls(limit: int) -> list[str]:
    """Claim callbacks; return the URLs that they are for."""
    about = [one.input["task_id"] for one in claim(make_worker(), limit=limit)]
    found = dict(Task.objects.values_list("id", "callback_url"))
    return [url for id, url in found.items() if str(id) in about]


def put_off(url: str, owner: User | None = None) -> None:
    owner_id = owner.pk if owner else None
    postpone.postpone_callbacks(owner_id=owner_id, url=url, pause=30.0, spread=30.0)


def put_off_now() -> int:
    later = Task.objects.filter(kind="callback.deliver", scheduled_at__gt=timezone.now())
    assert later.count() == sum(job.scheduled_at is not None for job in jobs())
    return later.count()


def deliver_one() -> None:
    (one,) = claim(make_worker(), limit=1)
    context = make_context(task_id=one.id, soft_time_limit=25)
    deliver(one.input, context)


@pytest.fixture
def two_slots() -> Iterator[None]:
    host_limits.reset()
    host_limits.set_capacity(2)
    yield
    host_limits.set_capacity(settings.WORKER_CONCURRENCY)
    host_limits.reset()


def test_nobody_waits_behind_all_that_another_receiver_is_told(user: User) -> None:
    tell(DEAD, 30, owner=user)
    claimed_urls(10)
    tell(HEALTHY, 2, owner=user)
    assert claimed_urls(4).count(HEALTHY) == 2


def test_paths_of_one_host_share_its_turns(user: User) -> None:
    tell(f"{DEAD}/1", 20)
    tell(f"{DEAD}/2", 2)
    tell("https://dead.example.com?3", 2)
    assert set(claimed_urls(5)) == {f"{DEAD}/1"}
    assert execute("SELECT count(DISTINCT tasks_owner) FROM procrastinate_jobs") == [(1,)]


def test_all_that_waits_for_a_receiver_is_put_off_and_no_attempt_spent(user: User) -> None:
    tell(DEAD, 10, owner=user)
    tell(HEALTHY, 3, owner=user)
    tell(DEAD, 2)
    before = timezone.now()
    put_off(f"{DEAD}/another/path", user)
    assert put_off_now() == 10
    times = list(Task.objects.exclude(scheduled_at=None).values_list("scheduled_at", flat=True))
    pauses = [(time - before).total_seconds() for time in times if time]
    assert 30 <= min(pauses) < max(pauses) <= 61
    assert len(claimed_urls(20)) == 5
    assert not Task.objects.filter(status=Status.PENDING, attempt__gt=0).exists()


def test_one_attempt_that_finds_the_lines_engaged_puts_off_all_that_wait(two_slots: None) -> None:
    tell(DEAD, 5)
    with host_limits.host_slot("dead.example.com"), pytest.raises(Snooze):
        deliver_one()
    assert put_off_now() == 4


def test_one_attempt_that_finds_the_receiver_dead_puts_off_all_that_wait(two_slots: None) -> None:
    tell(DEAD, 5)
    with suppress(NoAnswer), host_limits.host_slot("dead.example.com"):
        raise NoAnswer
    with pytest.raises(Undelivered):
        deliver_one()
    assert put_off_now() == 4


def test_of_those_who_find_it_together_one_puts_off_what_waits(two_slots: None) -> None:
    with host_limits.host_slot("dead.example.com"):
        for waiting in (5, 3):
            tell(DEAD, waiting)
            with pytest.raises(Snooze):
                deliver_one()
    assert put_off_now() == 4
    assert host_limits.should_postpone("dead.example.com", owner_id=1)


def test_however_many_wait_all_are_put_off(user: User) -> None:
    tell(DEAD, postpone.POSTPONE_LIMIT + 1, owner=user)
    put_off(DEAD, user)
    assert put_off_now() == postpone.POSTPONE_LIMIT + 1


def test_what_would_come_to_a_dead_receiver_earlier_comes_with_the_others(user: User) -> None:
    tell(DEAD, 3)
    put_off(DEAD)
    tell(DEAD, 3)
    tell(DEAD, 1, owner=user)
    execute("UPDATE procrastinate_jobs SET scheduled_at = now() + interval '9 s' WHERE id % 2 = 0")
    postpone.postpone_callbacks(owner_id=None, url=DEAD, pause=60.0, coming=True)
    times = list(Task.objects.exclude(scheduled_at=None).values_list("scheduled_at", flat=True))
    assert (len(times), len(set(times))) == (6, 1)


def another_second(seconds: Sequence[Any]) -> Any:
    """Return the second of the database's clock once it is none of these."""
    ((second,),) = execute("SELECT date_trunc('second', clock_timestamp())")
    return None if second in seconds else second


def test_what_was_put_off_is_not_put_off_again_by_the_same_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(postpone, "POSTPONE_LIMIT", 1)
    tell(DEAD, 2)
    seconds: list[Any] = []

    def at_another_second(run: Callable[..., Any], statement: str, *arguments: Any) -> Any:
        if statement == sql.POSTPONE:
            assert len(seconds) < 3, "what was put off is put off again"
            seconds.append(wait_until(lambda: another_second(seconds)))
        return run(statement, *arguments)

    with connection.execute_wrapper(at_another_second):
        postpone.postpone_callbacks(owner_id=None, url=DEAD, pause=60.0, coming=True)
    assert len(seconds) == 3
    assert put_off_now() == 2


def test_what_was_put_off_comes_back_in_groups(user: User) -> None:
    tell(DEAD, 20)
    put_off(DEAD)
    times = Task.objects.exclude(scheduled_at=None).values_list("scheduled_at", flat=True)
    assert all(time and time.microsecond == 0 for time in times)


def test_what_was_put_off_comes_back_in_its_receivers_turns(user: User) -> None:
    tell(DEAD, 10)
    put_off(DEAD)
    tell(HEALTHY, 10)
    execute("UPDATE procrastinate_jobs SET scheduled_at = now() WHERE scheduled_at IS NOT NULL")
    assert 4 <= claimed_urls(10).count(DEAD) <= 6


def test_what_was_tried_or_is_being_tried_is_not_put_off(user: User) -> None:
    tell(DEAD, 3)
    (running,) = claim(make_worker(), limit=1)
    execute(
        "UPDATE procrastinate_jobs SET attempts = 1 WHERE id <> %s AND id = (SELECT max(id)"
        " FROM procrastinate_jobs)",
        [running.job_id],
    )
    put_off(DEAD)
    assert put_off_now() == 1


def test_a_callback_that_is_put_off_can_be_cancelled(user: Any) -> None:
    tell(DEAD, 1)
    put_off(DEAD)
    lifecycle.cancel(Task.objects.get(kind="callback.deliver"))
    assert jobs() == []
