"""R05, R11 to R14: what a handler does to its process costs its own attempt, and nothing else."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tasks import lifecycle
from tasks.models import Outcome, Status, Task
from tests.script.models import Effect
from tests.waiting import wait_until
from tests.workers import is_running

pytestmark = pytest.mark.django_db(transaction=True)


def _ended(task: Task, *, within: float = 20.0) -> Task:
    wait_until(lambda: Task.objects.get(pk=task.pk).is_terminal, within=within, what="ended")
    return Task.objects.get(pk=task.pk)


def test_an_isolated_task_runs_in_a_process_of_its_own_that_is_kept(worker):
    tasks = [lifecycle.submit("test.isolated", {"do": "tell pid"}) for _ in range(3)]
    command = worker(concurrency=1)
    pids = {_ended(task).result["pid"] for task in tasks}
    assert len(pids) == 1
    assert not pids & set(command.pids())


@pytest.mark.parametrize(
    ("do", "how"), [("exit", "exit code 9"), ("segfault", "killed by SIGSEGV")]
)
def test_a_task_that_kills_its_process_fails_after_three_runs(worker, do, how):
    task = lifecycle.submit("test.isolated", {"do": do})
    command = worker()
    (pid,) = command.pids()
    task = _ended(task)
    assert (task.status, task.crashes) == (Status.FAILED, 3)
    assert how in task.error["detail"]
    assert [one.outcome for one in task.attempt_history()] == [Outcome.CRASHED] * 3
    assert command.pids() == [pid]


def test_memory_past_the_limit_fails_inside_the_child(worker):
    task = lifecycle.submit("test.isolated", {"do": "eat memory"}, max_attempts=1)
    worker()
    assert _ended(task).error["type"] == "MemoryError"


def test_a_child_that_holds_the_gil_is_killed_at_its_hard_limit(worker):
    task = lifecycle.submit("test.isolated", {"do": "hold the GIL"}, max_attempts=1)
    neighbour = lifecycle.submit("test.script")
    worker()
    task = _ended(task, within=10)
    assert [one.outcome for one in task.attempt_history()] == [Outcome.TIMED_OUT]
    took = task.finished_at - task.started_at
    assert 2 <= took.total_seconds() <= 7
    assert _ended(neighbour).status == Status.COMPLETED


def test_the_soft_limit_rings_inside_and_may_be_used_to_clean_up(worker):
    task = lifecycle.submit("test.isolated", {"do": "clean up"})
    worker()
    assert _ended(task).result == {"cleaned": True}


def test_a_stopped_child_is_killed_at_its_hard_limit(worker, tmp_path):
    file = tmp_path / "pid"
    task = lifecycle.submit("test.isolated", {"do": "sleep", "file": str(file)}, max_attempts=1)
    worker()
    pid = _pid_in(file)
    os.kill(pid, signal.SIGSTOP)
    assert [one.outcome for one in _ended(task).attempt_history()] == [Outcome.TIMED_OUT]
    wait_until(lambda: not is_running(pid), what="killed")


def test_what_a_handler_started_is_killed_with_it(worker, tmp_path):
    file = tmp_path / "pid"
    given = {"do": "leave a grandchild", "file": str(file)}
    lifecycle.submit("test.isolated", given, max_attempts=1)
    worker()
    pid = _pid_in(file)
    wait_until(lambda: not is_running(pid), within=10, what="grandchild killed")


def test_a_cancelled_child_is_killed_at_once(worker, tmp_path):
    file = tmp_path / "pid"
    task = lifecycle.submit("test.isolated", {"do": "sleep", "file": str(file)})
    worker()
    pid = _pid_in(file)
    lifecycle.cancel(task)
    assert _ended(task, within=2).status == Status.CANCELLED
    wait_until(lambda: not is_running(pid), what="killed")


def test_children_die_with_their_worker(worker, tmp_path):
    file = tmp_path / "pid"
    lifecycle.submit("test.isolated", {"do": "sleep", "file": str(file)})
    command = worker()
    child = _pid_in(file)
    (parent,) = command.pids()
    os.kill(parent, signal.SIGKILL)
    wait_until(lambda: not is_running(child), within=2, what="no orphan")


def test_progress_comes_out_of_the_child(worker):
    lifecycle.submit("test.isolated", {"do": "progress"})
    worker()
    wait_until(lambda: Task.objects.filter(progress_message="getting there").exists(), what="told")


def test_a_child_is_replaced_when_it_has_run_enough(worker):
    tasks = [lifecycle.submit("test.isolated", {"do": "tell pid"}) for _ in range(4)]
    worker(concurrency=1, WORKER_MAX_TASKS_PER_CHILD="2")
    assert len({_ended(task).result["pid"] for task in tasks}) == 2


def test_a_transactional_handler_commits_in_its_child(worker):
    good = lifecycle.submit("test.isolated_effect")
    bad = lifecycle.submit("test.isolated_effect", {"do": "die"}, max_attempts=1)
    worker()
    assert _ended(good).status == Status.COMPLETED
    assert _ended(bad).status == Status.FAILED
    assert list(Effect.objects.values_list("task_id", flat=True)) == [good.id]


def _pid_in(file: Path) -> int:
    return int(wait_until(lambda: file.exists() and file.read_text(), what="child started"))
