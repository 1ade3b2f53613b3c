"""R13, outside a child process: a handler in a worker thread that blocks the interpreter."""

from __future__ import annotations

import pytest

from tasks import lifecycle
from tasks.models import Outcome, Status, Task
from tasks.models.attempt import history_of
from tests.waiting import wait_until
from tests.workers import is_running

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_process_blocked_by_a_handler_is_killed_and_its_neighbours_run_again(worker, tmp_path):
    file = tmp_path / "go on"
    neighbour = lifecycle.submit("test.plain_effect", {"file": str(file)})
    command = worker(concurrency=2)
    wait_until(lambda: Task.objects.get().status == Status.PROCESSING, what="neighbour runs")
    (blocked,) = command.pids()
    culprit = lifecycle.submit("test.block")
    wait_until(lambda: not is_running(blocked), within=40, what="the process is killed")
    assert (
        "worker-1 sent no watchdog signal for 15 s (interpreter blocked?);"
        " the supervisor sends it SIGKILL" in command.output()
    )
    file.touch()
    # Both attempts were lost. The next ones run in child processes, which can time out.
    wait_until(lambda: all(task.is_terminal for task in Task.objects.all()), what="both ended")
    for task in (neighbour, culprit):
        task.refresh_from_db()
    assert neighbour.status == Status.COMPLETED
    outcomes = [attempt.outcome for attempt in history_of(culprit)]
    assert (culprit.status, outcomes) == (Status.FAILED, [Outcome.LOST, Outcome.TIMED_OUT])
    assert len(command.pids()) == 1
