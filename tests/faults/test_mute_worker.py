"""R13, beyond a child: a handler in a thread of the worker that lets nobody else run there."""

from __future__ import annotations

import pytest

from tasks import lifecycle
from tasks.models import Outcome, Status, Task
from tasks.models.attempt import history_of
from tests.waiting import wait_until
from tests.workers import is_running

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_process_that_a_handler_has_muted_is_ended_and_its_neighbours_run_again(worker, tmp_path):
    file = tmp_path / "go on"
    neighbour = lifecycle.submit("test.plain_effect", {"file": str(file)})
    command = worker(concurrency=2)
    wait_until(lambda: Task.objects.get().status == Status.PROCESSING, what="neighbour runs")
    (muted,) = command.pids()
    culprit = lifecycle.submit("test.mute")
    wait_until(lambda: not is_running(muted), within=40, what="the process is ended")
    assert (
        "worker-1 missed its watchdog for 15 s (interpreter blocked?), sending SIGKILL"
        in command.output()
    )
    file.touch()
    # Both were lost. The next attempt is a child's, which can be killed at its limit.
    wait_until(lambda: all(task.is_terminal for task in Task.objects.all()), what="both ended")
    for task in (neighbour, culprit):
        task.refresh_from_db()
    assert neighbour.status == Status.COMPLETED
    outcomes = [one.outcome for one in history_of(culprit)]
    assert (culprit.status, outcomes) == (Status.FAILED, [Outcome.LOST, Outcome.TIMED_OUT])
    assert len(command.pids()) == 1
