"""The attempt fence: a worker that lost its claim can write nothing."""

from __future__ import annotations

import json

import pytest

import tasks
from tasks import kinds, lifecycle
from tasks.kinds.exceptions import Cancel, FatalError, LostClaim, Retry, Snooze
from tasks.lifecycle.ending import Ending, completed, interrupted, raised, released, timed_out
from tasks.models import Outcome, Status, Task
from tasks.models.attempt import history_of
from tests.factories import make_worker
from tests.lifecycle.claiming import claim, finish
from tests.queue_rows import execute, job_of, jobs

pytestmark = pytest.mark.django_db


def _claimed(**options):
    tasks.submit("test.script", {"value": 1}, **options)
    (claimed,) = claim(make_worker())
    return claimed


def _raised(claimed, error):
    return raised(claimed, kinds.get(claimed.kind), error)


ENDINGS = {
    "complete": lambda claimed: completed(claimed, {"stale": True}),
    "fail": lambda claimed: _raised(claimed, FatalError("stale")),
    "retry": lambda claimed: _raised(claimed, ValueError("stale")),
    "snooze": lambda claimed: _raised(claimed, Snooze(5)),
    "cancel": lambda claimed: _raised(claimed, Cancel()),
    "interrupt": interrupted,
    "release": released,
    "time out": lambda claimed: timed_out(claimed, kinds.get(claimed.kind)),
}


def test_a_completed_task_has_its_result_its_end_and_no_job():
    assert finish(completed(_claimed(), {"answer": 42})) == 1
    task = Task.objects.get()
    assert (task.status, task.result, task.progress) == (Status.COMPLETED, {"answer": 42}, 100)
    assert task.finished_at >= task.started_at
    assert (task.worker_id, task.job_id, jobs()) == (None, None, [])
    assert [attempt.outcome for attempt in history_of(task)] == [Outcome.COMPLETED]


def test_a_task_waits_with_a_new_job_after_a_failed_attempt():
    claimed = _claimed()
    finish(_raised(claimed, ValueError("no")))
    task = Task.objects.get()
    assert (task.status, task.attempt, task.retry_count) == (Status.PENDING, 1, 0)
    assert task.error["type"] == "ValueError"
    assert job_of(task).id != claimed.job_id
    assert job_of(task).scheduled_at == task.scheduled_at
    (attempt,) = task.attempts.all()
    assert (attempt.number, attempt.outcome, attempt.worker) == (1, Outcome.FAILED, "test:1")
    assert "ValueError: no" in attempt.error["traceback"]


def test_the_last_attempt_ends_in_the_dead_letter_queue():
    finish(_raised(_claimed(max_attempts=1), ValueError("no")))
    task = Task.objects.get()
    assert (task.status, task.lane, jobs()) == (Status.FAILED, "dlq", [])


def test_a_fatal_error_is_not_retried():
    finish(_raised(_claimed(max_attempts=9), FatalError("no")))
    assert Task.objects.get().status == Status.FAILED


def test_a_handler_may_choose_the_delay_of_its_retry():
    assert _raised(_claimed(), Retry(30)).delay == 30


@pytest.mark.parametrize("name", ["snooze", "interrupt", "release"])
def test_a_snooze_an_interruption_or_a_release_uses_no_attempt(name):
    claimed = _claimed()
    finish(ENDINGS[name](claimed))
    task = Task.objects.get()
    assert (task.status, task.attempt, task.claim_number) == (Status.PENDING, 0, 1)
    # The same job again: the task keeps its place in the queue.
    assert [(job.id, job.status) for job in jobs()] == [(claimed.job_id, "todo")]


def test_a_task_with_a_cancel_request_is_cancelled_instead_of_retried():
    claimed = _claimed()
    lifecycle.cancel(Task.objects.get())
    finish(_raised(claimed, ValueError("no")))
    task = Task.objects.get()
    assert (task.status, task.job_id, jobs()) == (Status.CANCELLED, None, [])


@pytest.mark.parametrize("name", ENDINGS)
def test_a_stale_worker_cannot_change_a_newer_attempt(name):
    stale = _claimed()
    execute("UPDATE tasks_worker SET heartbeat_at = now() - interval '1 minute'")
    assert lifecycle.rescue() == 1
    (fresh,) = claim(make_worker())
    before = Task.objects.values().get()
    assert finish(ENDINGS[name](stale)) == 0
    assert Task.objects.values().get() == before
    assert jobs() == []
    assert finish(completed(fresh, {"fresh": True})) == 1


@pytest.mark.parametrize("name", ENDINGS)
def test_a_stale_worker_cannot_change_a_task_that_waits_again(name):
    stale = _claimed()
    finish(released(stale))
    before = (Task.objects.values().get(), jobs())
    assert finish(ENDINGS[name](stale)) == 0
    assert (Task.objects.values().get(), jobs()) == before


def test_a_task_released_and_claimed_again_has_another_claim_number():
    stale = _claimed()
    finish(released(stale))
    (fresh,) = claim(make_worker())
    assert (fresh.attempt, stale.attempt) == (1, 1)
    assert finish(completed(stale, {"stale": True})) == 0
    assert Task.objects.get().status == Status.PROCESSING


def test_a_stale_ending_in_a_group_does_not_affect_the_others():
    for value in range(3):
        tasks.submit("test.script", {"value": value})
    claims = claim(make_worker())
    execute("UPDATE tasks_task SET lease = lease + 1 WHERE id = %s", [claims[1].id])
    assert finish(*(completed(held, {"n": held.input["value"]}) for held in claims)) == 2
    by_id = {task.id: task for task in Task.objects.all()}
    assert by_id[claims[0].id].result == {"n": 0}
    assert by_id[claims[1].id].status == Status.PROCESSING
    assert by_id[claims[2].id].result == {"n": 2}


def test_a_finish_in_the_handlers_transaction_raises_when_the_claim_is_lost():
    stale = _claimed()
    finish(released(stale))
    with pytest.raises(LostClaim):
        lifecycle.finish(completed(stale, {}), worker="test:1")


def test_a_finish_that_is_repeated_writes_once():
    ending: Ending = _raised(_claimed(), ValueError("no"))
    assert (finish(ending), finish(ending)) == (1, 0)
    assert Task.objects.get().attempts.count() == 1
    assert len(jobs()) == 1


def test_characters_that_the_database_cannot_hold_are_removed_from_an_error_text():
    ending = _raised(_claimed(max_attempts=1), ValueError("a\0b\ud800"))
    assert json.loads(ending.error or "")["detail"] == "ab?"
    assert finish(ending) == 1
