"""The fence: what else a stale worker cannot write, alone or in a group with others."""

from __future__ import annotations

import pytest

import tasks
from tasks import kinds, lifecycle
from tasks.kinds.exceptions import LostClaim
from tasks.lifecycle.ending import Claim, completed, released
from tasks.models import Status, Task, Worker
from tasks.worker.attempt import attempt
from tests.factories import make_context, make_worker
from tests.lifecycle.claiming import claim, finish, heartbeat, progress
from tests.lifecycle.known import ENDINGS
from tests.queue_rows import execute, jobs
from tests.script.models import Effect

pytestmark = pytest.mark.django_db


def _claimed(kind: str = "test.script") -> Claim:
    tasks.submit(kind, {"value": 1})
    (claimed,) = claim(make_worker("first:1"))
    return claimed


def _lose_lease(name: str = "first:1") -> None:
    execute(
        "UPDATE tasks_worker SET heartbeat_at = now() - interval '1 minute' WHERE name = %s", [name]
    )


def _claimed_again() -> Claim:
    """Rescue the task and claim it for a second worker."""
    _lose_lease()
    assert lifecycle.rescue() == 1
    (fresh,) = claim(make_worker("second:1"))
    return fresh


def test_a_stale_worker_cannot_report_progress_of_a_newer_attempt():
    stale = _claimed()
    fresh = _claimed_again()
    assert progress(fresh, percent=10, message="mine") == 1
    assert progress(stale, percent=90, message="stale") == 0
    task = Task.objects.get()
    assert (task.progress, task.progress_message) == (10, "mine")


@pytest.mark.parametrize("how", ["release", "complete", "fatal", "cancel"])
def test_progress_of_an_ended_attempt_is_not_written(how):
    ended = _claimed()
    finish(ENDINGS[how](ended))
    before = Task.objects.values().get()
    assert progress(ended, percent=90, message="stale") == 0
    assert Task.objects.values().get() == before


def test_stale_progress_in_a_group_does_not_affect_the_others():
    for value in range(3):
        tasks.submit("test.script", {"value": value})
    claims = claim(make_worker())
    execute("UPDATE tasks_task SET lease = lease + 1 WHERE id = %s", [claims[1].id])
    assert progress(*claims, percent=70) == 2
    by_id = dict(Task.objects.values_list("id", "progress"))
    assert [by_id[held.id] for held in claims] == [70, 0, 70]


def test_an_ended_lease_is_not_renewed():
    stale = _claimed()
    (first,) = Worker.objects.all()
    _lose_lease()
    assert lifecycle.rescue() == 1
    before = Worker.objects.values().get()
    assert heartbeat(first.pk) == (False, [])
    assert Worker.objects.values().get() == before
    assert Task.objects.get(pk=stale.id).status == Status.PENDING


def test_a_late_renewal_before_any_rescue_keeps_the_tasks():
    _claimed()
    (first,) = Worker.objects.all()
    _lose_lease()
    assert heartbeat(first.pk) == (True, [])
    assert lifecycle.rescue() == 0


def test_a_stale_heartbeat_neither_renews_nor_shortens_the_lease_of_a_newer_attempt():
    _claimed()
    fresh = _claimed_again()
    second = Worker.objects.get(name="second:1")
    assert heartbeat(Worker.objects.get(name="first:1").pk)[0] is False
    assert Worker.objects.get(pk=second.pk).heartbeat_at == second.heartbeat_at
    _lose_lease("second:1")
    assert heartbeat(Worker.objects.get(name="first:1").pk)[0] is False
    assert lifecycle.rescue() == 1
    assert finish(completed(fresh, {})) == 0


def test_a_stale_worker_gets_no_cancel_request_of_a_newer_attempt():
    _claimed()
    fresh = _claimed_again()
    lifecycle.cancel(Task.objects.get())
    assert heartbeat(Worker.objects.get(name="first:1").pk) == (False, [])
    assert heartbeat(Worker.objects.get(name="second:1").pk) == (True, [fresh.key])


@pytest.mark.parametrize("how", ENDINGS)
def test_a_stale_ending_in_a_group_is_ignored_and_the_others_are_written(how):
    stale = _claimed()
    fresh = _claimed_again()
    tasks.submit("test.script")
    tasks.submit("test.script")
    first, last = claim(make_worker("first:2"))
    running = Task.objects.values().get(pk=fresh.id)
    assert finish(completed(first, {}), ENDINGS[how](stale), completed(last, {})) == 2
    assert Task.objects.values().get(pk=fresh.id) == running
    assert jobs() == []
    assert Task.objects.filter(status=Status.COMPLETED).count() == 2


@pytest.mark.parametrize("how", ENDINGS)
def test_only_the_fresh_one_of_two_endings_of_a_task_in_a_group_is_written(how):
    stale = _claimed()
    fresh = _claimed_again()
    assert finish(ENDINGS[how](stale), completed(fresh, {"fresh": True})) == 1
    task = Task.objects.get()
    assert (task.status, task.result) == (Status.COMPLETED, {"fresh": True})
    assert task.attempts.filter(claim_number=fresh.claim_number).count() == 0


# An attempt expects a connection without a transaction, as a slot has it.
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("claimed_again", [True, False], ids=["runs again", "waits again"])
def test_a_transactional_handler_that_lost_its_claim_leaves_no_effect(claimed_again):
    stale = _claimed("test.effect")
    if claimed_again:
        _claimed_again()
    else:
        finish(released(stale))
    before = Task.objects.values().get()
    context = make_context(task_id=stale.id)
    assert attempt(kinds.get(stale.kind), stale, context, worker="first:1") is None
    assert not Effect.objects.exists()
    assert Task.objects.values().get() == before


def test_a_transactional_handler_that_lost_its_claim_submits_no_follow_up():
    stale = _claimed()
    finish(released(stale))
    context = make_context(task_id=stale.id)
    context.submit("test.script")
    ending = completed(stale, {}, context.follow_ups)
    with pytest.raises(LostClaim):
        lifecycle.finish(ending, worker="first:1")
    assert Task.objects.count() == len(jobs()) == 1
