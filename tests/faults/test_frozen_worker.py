"""R04: a worker that was frozen beyond its lease wakes up and can change nothing."""

from __future__ import annotations

import os
import signal

import pytest

from tasks import lifecycle
from tasks.models import Outcome, Status, Task
from tasks.models.attempt import history_of
from tests.script.models import Effect
from tests.waiting import wait_until
from tests.workers import WorkerCommand, is_running

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_worker_frozen_beyond_its_lease_can_change_nothing(worker, tmp_path):
    file = tmp_path / "go on"
    task = lifecycle.submit("test.plain_effect", {"file": str(file)})
    frozen = worker()
    wait_until(lambda: Effect.objects.count() == 1, what="first start")
    (zombie,) = frozen.pids()
    _freeze(frozen, zombie)
    worker()
    wait_until(lambda: Effect.objects.count() == 2, within=30, what="second start")
    # The frozen process's handler ends as soon as the process wakes up.
    file.touch()
    wait_until(lambda: Task.objects.get().status == Status.COMPLETED, what="completed")
    task.refresh_from_db()
    before = Task.objects.values().get()
    os.kill(zombie, signal.SIGCONT)
    wait_until(lambda: not is_running(zombie), what="the zombie stops itself")
    assert Task.objects.values().get() == before
    assert [attempt.outcome for attempt in history_of(task)] == [Outcome.LOST, Outcome.COMPLETED]
    frozen.signal(signal.SIGCONT)
    wait_until(lambda: len(frozen.pids()) == 1, what="the zombie is replaced")


def test_a_frozen_workers_finish_is_refused_while_the_next_attempt_runs(worker, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    lifecycle.submit("test.plain_effect", {"file": str(first)})
    frozen = worker()
    wait_until(lambda: Effect.objects.count() == 1, what="first start")
    (zombie,) = frozen.pids()
    _freeze(frozen, zombie)
    # Only the second attempt reads this input.
    Task.objects.update(input={"file": str(second)})
    worker()
    wait_until(lambda: Effect.objects.count() == 2, within=30, what="second start")
    running = Task.objects.values().get()
    first.touch()
    os.kill(zombie, signal.SIGCONT)
    wait_until(lambda: not is_running(zombie), what="the zombie stops itself")
    now = Task.objects.values().get()
    assert (now["status"], now["claim_number"]) == (Status.PROCESSING, running["claim_number"])
    second.touch()
    wait_until(lambda: Task.objects.get().status == Status.COMPLETED, what="completed")
    frozen.signal(signal.SIGCONT)


def _freeze(command: WorkerCommand, pid: int) -> None:
    """Freeze a process and its supervisor, which would end it; a frozen machine stops both."""
    for target in (command.popen.pid, pid):
        os.kill(target, signal.SIGSTOP)
