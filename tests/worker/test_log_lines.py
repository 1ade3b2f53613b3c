"""What a worker logs, as its operator reads it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

import tasks
from tasks.correlation import running
from tasks.models import Task
from tests.causes import CAUSE, Caused
from tests.waiting import wait_until
from tests.workers import WorkerCommand, database_url, is_idle

pytestmark = pytest.mark.django_db(transaction=True)


def lines(command: WorkerCommand) -> list[dict[str, Any]]:
    """Return the lines of a worker's log, each of which must be JSON."""
    return [json.loads(line) for line in command.output().splitlines()]


@pytest.fixture
def log(worker: Callable[..., WorkerCommand]) -> Callable[..., list[dict[str, Any]]]:
    """Return a function that runs tasks to their end and returns the lines of one of them."""

    def run(kind: str, input: dict[str, Any]) -> list[dict[str, Any]]:
        command = worker(LOG_LEVEL="INFO")
        with running(Caused()):
            task = tasks.submit(kind, input)
        wait_until(lambda: command.must_run() and is_idle(), what="it has ended")
        id = str(task.id)
        wait_until(
            lambda: any(
                line.get("task_id") == id and line.get("status") in ("COMPLETED", "FAILED")
                for line in lines(command)
            ),
            what="its end is logged",
        )
        return [line for line in lines(command) if line.get("task_id") == id]

    return run


def test_a_worker_introduces_itself(worker: Callable[..., WorkerCommand]) -> None:
    command = worker(queues=["default", "defualt"], LOG_LEVEL="INFO")
    command.wait_until_registered()
    start = next(line for line in lines(command) if line["event"] == "worker starts")
    assert start["version"] == "1.0.0"
    assert (start["processes"], start["slots"]) == (1, 4)
    assert start["queues"] == ["default", "defualt"]
    assert "test.script" in start["kinds"]
    assert database_url().rpartition("/")[0] not in start["database"]
    (unused,) = [line for line in lines(command) if line["event"].startswith("no kind has this")]
    assert (unused["queue"], unused["level"]) == ("defualt", "warning")


def test_a_failed_task_says_what_failed_where_and_how_long(log) -> None:
    failed = log("test.script", {"do": "raise", "message": "see postgres://u:hunter2@h/d"})
    attempts = [line for line in failed if "outcome" in line]
    assert [line["event"] for line in attempts] == [
        "attempt failed; the task is tried again",
        "attempt failed; the task is tried again",
        "task failed",
    ]
    assert [line["level"] for line in attempts] == ["warning", "warning", "error"]
    last = attempts[-1]
    assert (last["error_type"], last["error"]) == ("ValueError", "see postgres://***@h/d")
    assert (last["kind"], last["queue"], last["attempt"]) == ("test.script", "default", 3)
    assert last["worker"]
    assert last["ran_seconds"] >= 0
    assert 0 <= last["waited_seconds"] < 10
    assert attempts[0]["delay_seconds"] > 0
    assert {line["request_id"] for line in attempts} == {CAUSE.request_id}
    assert {line["trace_id"] for line in attempts} == {CAUSE.trace_id}


@pytest.mark.parametrize("kind", ["test.talk", "test.isolated_talk"])
def test_what_a_handler_writes_names_its_task(log, kind) -> None:
    loggers = ("tasks.output", "py.warnings", "talk")
    written = [line for line in log(kind, {}) if line["logger"] in loggers]
    by_event = {line["event"]: line for line in written}
    assert {"one", "two", "three, not ended", "from a library"} <= by_event.keys()
    assert by_event["one"]["stream"] == "stdout"
    assert by_event["two"]["stream"] == "stderr"
    assert any("take care" in event for event in by_event)
    for line in written:
        assert (line["kind"], line["attempt"], line["request_id"]) == (kind, 1, "r-1")


def test_follow_ups_keep_the_cause(worker: Callable[..., WorkerCommand]) -> None:
    command = worker()
    with running(Caused()):
        tasks.submit("test.script", {"do": "follow up", "value": 1})
        tasks.submit("test.submits", {})
    wait_until(
        lambda: command.must_run() and is_idle() and Task.objects.count() == 4, what="all ended"
    )
    assert {task.cause for task in Task.objects.all()} == {CAUSE}
