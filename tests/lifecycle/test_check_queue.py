"""`manage.py check_queue`: one line and the exit code of a monitoring plugin."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from tasks import lifecycle
from tasks.models import Status
from tests.factories import make_task, make_worker
from tests.workers import ROOT, database_url

pytestmark = pytest.mark.django_db

OK, WARNING, CRITICAL, UNKNOWN = range(4)


def check(*arguments: str) -> tuple[int, str]:
    """Return the exit code and the line."""
    output = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("check_queue", *arguments, stdout=output)
    [line] = output.getvalue().splitlines()
    code = ended.value.code
    assert isinstance(code, int)
    return code, line


def due(*, since: float, **fields: Any) -> None:
    make_task(created_at=timezone.now() - dt.timedelta(seconds=since), **fields)


def test_an_idle_system_is_ok() -> None:
    assert check() == (
        OK,
        "OK: 0 tasks are due, the oldest for 0.0 s; 0 failed in the last hour"
        " | waiting=0;;;0 oldest=0.0s;;60;0 failed=0;;5;0",
    )


def test_a_task_that_waits_too_long_is_critical() -> None:
    make_worker()
    due(since=61)
    code, line = check()
    assert code == CRITICAL
    assert line.startswith("CRITICAL: a task has waited for 61 s, more than 60 s | waiting=1;;;0")
    assert check("--max-age=600")[0] == OK


def test_too_many_due_tasks_are_critical_and_scheduled_ones_do_not_count() -> None:
    make_worker()
    make_task(scheduled_at=timezone.now() + dt.timedelta(hours=1))
    for _ in range(2):
        make_task()
    assert check("--max-waiting=2")[0] == OK
    code, line = check("--max-waiting=1")
    assert (code, line.partition(" |")[0]) == (CRITICAL, "CRITICAL: 2 tasks are due, more than 1")


def test_too_many_failures_of_the_last_hour_are_critical() -> None:
    for minutes in (1, 59, 61):
        make_task(Status.FAILED, finished_at=timezone.now() - dt.timedelta(minutes=minutes))
    make_task(Status.COMPLETED)
    assert check("--max-failures=2")[0] == OK
    code, line = check("--max-failures=1")
    assert code == CRITICAL
    assert line.startswith("CRITICAL: at least 2 tasks failed in the last hour, more than 1 |")


def test_only_the_named_queue_counts() -> None:
    make_worker(queues=["default"])
    due(since=61)
    make_task(Status.FAILED)
    make_task(queue="reports")
    assert check("--queue=reports", "--max-failures=0")[0] == OK
    assert check("--queue=default", "--max-failures=0")[0] == CRITICAL


def test_work_that_no_worker_can_run_is_critical_and_named() -> None:
    make_worker(queues=["default"], kinds=["compute"])
    due(since=61)
    due(since=61, queue="reports")
    code, line = check("--max-age=600")
    assert code == CRITICAL
    assert line.partition(" |")[0] == (
        "CRITICAL: no worker for: reports; no worker knows: test.script in default"
    )
    assert check("--max-age=600", "--queue=mail", "--max-failures=0")[0] == UNKNOWN


def test_a_paused_queue_with_due_tasks_is_a_warning() -> None:
    due(since=3600, queue="reports")
    lifecycle.pause_queue("reports")
    code, line = check()
    assert (code, line.partition(" |")[0]) == (
        WARNING,
        "WARNING: tasks are due in paused queues: reports",
    )
    assert check("--queue=default")[0] == OK


def test_a_queue_that_nothing_knows_is_unknown_unless_a_worker_names_it() -> None:
    code, line = check("--queue=defualt")
    assert code == UNKNOWN
    assert line == (
        "UNKNOWN: no kind has the queue defualt, no task is in it, and no worker names it"
    )
    make_worker(queues=["defualt"])
    assert check("--queue=defualt")[0] == OK


@pytest.mark.parametrize(
    ("url", "arguments", "code", "words"),
    [
        (None, [], OK, "OK: 0 tasks are due"),
        (None, ["--max-age=soon"], UNKNOWN, "UNKNOWN: argument --max-age: 'soon' is not a whole"),
        (None, ["--queue="], UNKNOWN, "UNKNOWN: argument --queue: "),
        (
            "postgresql://tasks@127.0.0.1:1/tasks", [], UNKNOWN,
            "UNKNOWN: the database cannot be asked: connection failed",
        ),
    ],
)  # fmt: skip
@pytest.mark.django_db(transaction=True)
def test_a_shell_gets_one_line_and_the_code(
    url: str | None, arguments: list[str], code: int, words: str
) -> None:
    ended = subprocess.run(
        [sys.executable, "manage.py", "check_queue", *arguments],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url or database_url()},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (ended.returncode, ended.stderr) == (code, "")
    [line] = ended.stdout.splitlines()
    assert line.startswith(words)
