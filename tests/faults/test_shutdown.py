"""R06 to R08: SIGTERM lets short tasks finish and hands long ones back; no attempt is spent."""

from __future__ import annotations

import signal
import time

import pytest

from tasks import lifecycle, stats
from tasks.lifecycle.preparation import prepare
from tasks.models import Outcome, Status, Task, Worker
from tasks.models.attempt import history_of
from tests.queue_rows import jobs
from tests.script.models import Effect
from tests.waiting import wait_until
from tests.workers import is_running

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_stopping_worker_finishes_short_tasks_and_releases_unstarted_ones(worker):
    lifecycle.submit_many([prepare("test.effect", {"seconds": 0.2}) for _ in range(200)])
    command = worker(processes=2)
    wait_until(lambda: Effect.objects.count() > 10, what="work under way")
    command.signal(signal.SIGTERM)
    assert command.wait(within=10) == 0
    assert not Task.objects.filter(status=Status.PROCESSING).exists()
    completed = Task.objects.filter(status=Status.COMPLETED)
    waiting = Task.objects.filter(status=Status.PENDING)
    assert Effect.objects.count() == completed.count()
    assert completed.count() + waiting.count() == 200
    assert not waiting.exclude(attempt=0).exists()
    assert len(jobs()) == waiting.count()
    assert not Worker.objects.exists()


@pytest.mark.parametrize("heed", [True, False], ids=["checking", "ignoring"])
def test_a_long_task_of_a_stopping_worker_starts_elsewhere_at_once(worker, tmp_path, heed):
    file = tmp_path / "go on"
    lifecycle.submit("test.plain_effect", {"file": str(file), "heed": heed})
    stopping = worker(WORKER_STOP_GRACE_PERIOD="2s")
    wait_until(lambda: Effect.objects.count() == 1, what="first start")
    worker()
    stopping.signal(signal.SIGTERM)
    wait_until(lambda: Effect.objects.count() == 2, within=10, what="second start")
    assert stopping.wait(within=5) == 0
    task = Task.objects.get()
    assert (task.status, task.attempt, task.claim_number) == (Status.PROCESSING, 1, 2)
    file.touch()
    wait_until(lambda: Task.objects.get().status == Status.COMPLETED, what="completed")
    history = history_of(Task.objects.get())
    assert [(attempt.number, attempt.outcome) for attempt in history] == [
        (1, Outcome.INTERRUPTED),
        (1, Outcome.COMPLETED),
    ]


def test_a_draining_worker_keeps_its_lease_however_long_it_drains(worker, tmp_path, settings):
    file = tmp_path / "go on"
    lifecycle.submit("test.plain_effect", {"file": str(file)})
    draining = worker(WORKER_STOP_GRACE_PERIOD="60s")
    wait_until(lambda: Effect.objects.count() == 1, what="start")
    worker()
    draining.signal(signal.SIGTERM)
    signalled_at = time.monotonic()
    (row,) = draining.workers()
    longer_than_the_lease = settings.LEASE_SECONDS + 2 * settings.RESCUE_SECONDS

    def renewed() -> bool:
        row.refresh_from_db()
        is_draining: bool = row.state == "draining"
        return is_draining and time.monotonic() - signalled_at > longer_than_the_lease

    wait_until(renewed, within=longer_than_the_lease + 10, what="drained beyond a lease")
    assert stats.workers().get(pk=row.pk).liveness == stats.Liveness.DRAINING
    assert Effect.objects.count() == 1
    file.touch()
    assert draining.wait(within=10) == 0
    assert Task.objects.get().status == Status.COMPLETED
    assert Effect.objects.count() == 1


def test_a_second_signal_leaves_no_process_behind(worker, tmp_path):
    lifecycle.submit("test.plain_effect", {"file": str(tmp_path / "never")})
    command = worker()
    wait_until(lambda: Effect.objects.count() == 1, what="start")
    (pid,) = command.pids()
    command.signal(signal.SIGTERM)
    wait_until(lambda: Worker.objects.filter(state="draining").exists(), what="draining")
    command.signal(signal.SIGINT)
    command.wait(within=10)
    wait_until(lambda: not is_running(pid), within=5, what="the worker process is gone")
