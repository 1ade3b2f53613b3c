"""Isolation (R05, R11 to R14): a handler that harms its process costs only its own attempt."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from tasks import lifecycle
from tasks.counts import CHILDREN_ENDED
from tasks.models import MetricSum, Outcome, Status, Task
from tasks.models.attempt import history_of
from tests.script.models import Effect
from tests.waiting import wait_until
from tests.workers import is_running

pytestmark = pytest.mark.django_db(transaction=True)


def _ended(task: Task, *, within: float = 20.0) -> Task:
    wait_until(lambda: Task.objects.get(pk=task.pk).is_terminal, within=within, what="ended")
    return Task.objects.get(pk=task.pk)


def test_an_isolated_task_runs_in_a_process_of_its_own_that_is_kept(worker):
    tasks = [lifecycle.submit("test.isolated", {"do": "return the pid"}) for _ in range(3)]
    command = worker(concurrency=1)
    pids = {_ended(task).result["pid"] for task in tasks}
    assert len(pids) == 1
    assert not pids & set(command.pids())


def test_children_that_ended_are_counted_by_reason(worker, tmp_path):
    file = tmp_path / "pid"
    cancelled = lifecycle.submit("test.isolated", {"do": "sleep", "file": str(file)})
    others = [
        lifecycle.submit("test.isolated", {"do": do}, max_attempts=1)
        for do in ("exit", "hold the GIL", "use too much memory")
    ]
    command = worker()
    _pid_in(file)
    lifecycle.cancel(cancelled)
    for task in (cancelled, *others):
        _ended(task)
    command.end()
    sums = MetricSum.objects.filter(name=CHILDREN_ENDED.name)
    reasons = {row.labels[0]: row.numbers[0] for row in sums}
    assert reasons == {"cancelled": 1, "crashed": 1, "timed_out": 1, "failed": 1}


def test_an_idle_child_is_ended(worker):
    task = lifecycle.submit("test.isolated", {"do": "return the pid"})
    worker(concurrency=1)
    child = _ended(task).result["pid"]
    wait_until(lambda: not is_running(child), within=30, what="ended")
    again = lifecycle.submit("test.isolated", {"do": "return the pid"})
    assert _ended(again).result["pid"] != child
    assert not again.attempts.exists()


def test_an_idle_child_that_died_costs_the_next_task_nothing(worker):
    first = lifecycle.submit("test.isolated", {"do": "return the pid"})
    worker(concurrency=1)
    child = _ended(first).result["pid"]
    os.kill(child, signal.SIGKILL)
    wait_until(lambda: not is_running(child), what="dead")
    second = _ended(lifecycle.submit("test.isolated", {"do": "return the pid"}))
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
    assert [attempt.outcome for attempt in history_of(task)] == [Outcome.CRASHED] * 3
    assert command.pids() == [pid]


def test_memory_past_the_limit_fails_inside_the_child(worker):
    task = lifecycle.submit("test.isolated", {"do": "use too much memory"}, max_attempts=1)
    worker()
    assert _ended(task).error["type"] == "MemoryError"


def test_a_child_that_holds_the_gil_is_killed_at_its_hard_limit(worker):
    task = lifecycle.submit("test.isolated", {"do": "hold the GIL"}, max_attempts=1)
    neighbour = lifecycle.submit("test.script")
    worker()
    task = _ended(task, within=10)
    assert [attempt.outcome for attempt in history_of(task)] == [Outcome.TIMED_OUT]
    duration = task.finished_at - task.started_at
    assert 2 <= duration.total_seconds() <= 7
    assert _ended(neighbour).status == Status.COMPLETED


def test_a_handler_in_a_child_can_clean_up_at_its_soft_limit(worker):
    task = lifecycle.submit("test.isolated", {"do": "clean up"})
    worker()
    assert _ended(task).result == {"cleaned": True}


def test_a_stopped_child_is_killed_at_its_hard_limit(worker, tmp_path):
    file = tmp_path / "pid"
    task = lifecycle.submit("test.isolated", {"do": "sleep", "file": str(file)}, max_attempts=1)
    worker()
    pid = _pid_in(file)
    os.kill(pid, signal.SIGSTOP)
    assert [attempt.outcome for attempt in history_of(_ended(task))] == [Outcome.TIMED_OUT]
    wait_until(lambda: not is_running(pid), what="killed")


def test_processes_that_a_handler_started_are_killed_with_its_child(worker, tmp_path):
    file = tmp_path / "pid"
    task_input = {"do": "leave a grandchild", "file": str(file)}
    lifecycle.submit("test.isolated", task_input, max_attempts=1)
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
    task_input = {"do": "leave daemons", "file": str(file), "go on": str(go_on)}
    task = lifecycle.submit("test.isolated_effect", task_input)
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
    task_input = {"do": "leave daemons", "file": str(file), "go on": str(tmp_path / "never")}
    lifecycle.submit("test.isolated_effect", task_input)
    command = worker()
    daemons = _daemons_in(file)
    (parent,) = command.pids()
    os.kill(parent, signal.SIGKILL)
    wait_until(lambda: not any(map(is_running, daemons)), within=2, what="daemons killed")


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
    wait_until(lambda: not is_running(child), within=2, what="child killed")


def test_the_progress_of_a_child_is_recorded(worker):
    lifecycle.submit("test.isolated", {"do": "progress"})
    worker()
    wait_until(
        lambda: Task.objects.filter(progress_message="almost done").exists(), what="progress"
    )


def test_a_child_is_replaced_when_it_has_run_enough(worker):
    tasks = [lifecycle.submit("test.isolated", {"do": "return the pid"}) for _ in range(4)]
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
    """Return the process ids of both daemons and of what each started, once all are written."""

    def pids() -> list[int]:
        files = [file.with_suffix(f".{number}") for number in range(2)]
        return [int(word) for path in files if path.exists() for word in path.read_text().split()]

    return wait_until(lambda: len(pids()) == 4 and pids(), what="daemons started") or []
