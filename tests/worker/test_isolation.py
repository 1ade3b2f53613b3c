"""R05, R11 to R14: what a handler does to its process costs its own attempt, and nothing else."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from tasks import lifecycle
from tasks.models import Outcome, Status, Task
from tasks.models.attempt import history_of
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


def test_a_child_that_nobody_needs_any_more_is_ended(worker):
    task = lifecycle.submit("test.isolated", {"do": "tell pid"})
    worker(concurrency=1)
    child = _ended(task).result["pid"]
    wait_until(lambda: not is_running(child), within=30, what="ended")
    again = lifecycle.submit("test.isolated", {"do": "tell pid"})
    assert _ended(again).result["pid"] != child
    assert not again.attempts.exists()


def test_a_child_that_died_without_work_costs_the_next_task_nothing(worker):
    first = lifecycle.submit("test.isolated", {"do": "tell pid"})
    worker(concurrency=1)
    child = _ended(first).result["pid"]
    os.kill(child, signal.SIGKILL)
    wait_until(lambda: not is_running(child), what="dead")
    second = _ended(lifecycle.submit("test.isolated", {"do": "tell pid"}))
    assert (second.status, second.crashes) == (Status.COMPLETED, 0)


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
    assert [one.outcome for one in history_of(task)] == [Outcome.CRASHED] * 3
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
    assert [one.outcome for one in history_of(task)] == [Outcome.TIMED_OUT]
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
    assert [one.outcome for one in history_of(_ended(task))] == [Outcome.TIMED_OUT]
    wait_until(lambda: not is_running(pid), what="killed")


def test_what_a_handler_started_is_killed_with_it(worker, tmp_path):
    file = tmp_path / "pid"
    given = {"do": "leave a grandchild", "file": str(file)}
    lifecycle.submit("test.isolated", given, max_attempts=1)
    worker()
    pid = _pid_in(file)
    wait_until(lambda: not is_running(pid), within=10, what="grandchild killed")


def test_daemons_that_a_handler_left_are_killed_with_its_child(worker, tmp_path):
    file = tmp_path / "daemons"
    task = lifecycle.submit(
        "test.isolated", {"do": "leave daemons", "file": str(file)}, max_attempts=1
    )
    worker()
    daemons = _daemons_in(file)
    _ended(task, within=10)
    wait_until(lambda: not any(map(is_running, daemons)), within=2, what="daemons killed")


def test_daemons_live_as_long_as_the_attempt_that_left_them(worker, tmp_path):
    file, go_on = tmp_path / "daemons", tmp_path / "go on"
    given = {"do": "leave daemons", "file": str(file), "go on": str(go_on)}
    task = lifecycle.submit("test.isolated_effect", given)
    command = worker()
    daemons = _daemons_in(file)
    neighbour = lifecycle.submit("test.isolated", {"do": "exit"}, max_attempts=1)
    assert _ended(neighbour).status == Status.FAILED
    assert all(map(is_running, daemons))
    go_on.touch()
    assert _ended(task).status == Status.COMPLETED
    command.end()
    assert not any(map(is_running, daemons))


def test_daemons_die_with_a_killed_worker(worker, tmp_path):
    file = tmp_path / "daemons"
    given = {"do": "leave daemons", "file": str(file), "go on": str(tmp_path / "never")}
    lifecycle.submit("test.isolated_effect", given)
    command = worker()
    daemons = _daemons_in(file)
    (parent,) = command.pids()
    os.kill(parent, signal.SIGKILL)
    wait_until(lambda: not any(map(is_running, daemons)), within=2, what="no daemon left")


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
    runs = Counter(_ended(task).result["pid"] for task in tasks)
    # The worker itself may be replaced in between, and its child with it.
    assert max(runs.values()) <= 2


def test_a_transactional_handler_commits_in_its_child(worker):
    good = lifecycle.submit("test.isolated_effect")
    bad = lifecycle.submit("test.isolated_effect", {"do": "die"}, max_attempts=1)
    worker()
    assert _ended(good).status == Status.COMPLETED
    assert _ended(bad).status == Status.FAILED
    assert list(Effect.objects.values_list("task_id", flat=True)) == [good.id]


def _pid_in(file: Path) -> int:
    return int(wait_until(lambda: file.exists() and file.read_text(), what="child started"))


def _daemons_in(file: Path) -> list[int]:
    """Return the process ids of both daemons and of what each started, once all are told."""

    def told() -> list[int]:
        files = [file.with_suffix(f".{number}") for number in range(2)]
        return [int(word) for one in files if one.exists() for word in one.read_text().split()]

    return wait_until(lambda: len(told()) == 4 and told(), what="daemons started") or []
