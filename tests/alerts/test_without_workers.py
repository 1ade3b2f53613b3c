"""Alerts while no worker lives: the web server's processes and `check_alerts` evaluate and send."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import pytest

from tasks.models import Alert, AlertRule, Status, Task
from tests.alerts.mail_server import MailServer
from tests.callbacks.receiver import Receiver
from tests.factories import make_task
from tests.project.running import free_port
from tests.waiting import wait_until
from tests.workers import database_url

pytestmark = pytest.mark.django_db(transaction=True)

ROOT = Path(__file__).resolve().parents[2]


def environment(mails: MailServer) -> dict[str, str]:
    return {
        **os.environ,
        "DATABASE_URL": database_url(),
        "CALLBACK_ALLOW_PRIVATE": "true",
        "EMAIL_URL": f"smtp://127.0.0.1:{mails.port}",
        "PORT": str(free_port()),
    }


@contextmanager
def web(mails: MailServer) -> Iterator[None]:
    """Run the web server alone."""
    with TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "taskproject.web"],
            cwd=ROOT,
            env=environment(mails),
            stdout=log,
            stderr=log,
            process_group=0,
        )
        try:
            yield
            assert process.poll() is None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.wait(30)


def check(mails: MailServer) -> subprocess.CompletedProcess[str]:
    """Run `manage.py check_alerts`."""
    return subprocess.run(
        [sys.executable, "manage.py", "check_alerts"],
        cwd=ROOT,
        env=environment(mails),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def watched(rule: Callable[..., AlertRule], receiver: Receiver, mails: MailServer) -> Task:
    """Return a task that no worker will claim, and is reported to a mailbox and a webhook."""
    rule(
        "no_worker",
        name="Nobody works",
        emails=["ops@example.com"],
        webhook_url=receiver.url("/200"),
    )
    return make_task(queue="a")


def events(receiver: Receiver) -> list[str]:
    return [request.message["type"] for request in receiver.received]


def test_the_web_server_reports_that_no_worker_lives_and_that_this_is_over(
    watched: Task, receiver: Receiver, mails: MailServer
) -> None:
    with web(mails):
        wait_until(lambda: receiver.received and mails.accepted, within=120)
        watched.delete()
        AlertRule.objects.update(evaluated_at=None)
        wait_until(lambda: len(receiver.received) == len(mails.accepted) == 2, within=120)
        wait_until(lambda: not Task.objects.exclude(status=Status.COMPLETED).exists())
    assert events(receiver) == ["alert.opened", "alert.closed"]
    assert mails.subjects == [
        "[Tasks] Opened: Nobody works: a",
        "[Tasks] Closed: Nobody works: a",
    ]


def test_cron_reports_what_is_open_by_its_exit_code_and_once_by_its_messages(
    watched: Task, receiver: Receiver, mails: MailServer
) -> None:
    for _ in range(2):
        run = check(mails)
        assert (run.returncode, run.stdout) == (
            2,
            "Nobody works: The queue a has 1 due task, but no live worker claims from it.\n",
        )
        AlertRule.objects.update(evaluated_at=None)
    assert (events(receiver), len(mails.accepted)) == (["alert.opened"], 1)
    watched.delete()
    run = check(mails)
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    assert events(receiver) == ["alert.opened", "alert.closed"]
    assert Alert.objects.get().closed_at


def test_cron_fails_while_a_message_is_not_sent(
    watched: Task, receiver: Receiver, mails: MailServer, settings: Any
) -> None:
    mails.answers = ["451 later"]
    run = check(mails)
    assert run.returncode == 1
    assert run.stdout.startswith("Nobody works: ")
    assert "CommandError: 1 message not sent yet; another run tries.\n" in run.stderr
    assert events(receiver) == ["alert.opened"]


def test_cron_fails_while_a_rule_cannot_be_evaluated(
    rule: Callable[..., AlertRule], mails: MailServer
) -> None:
    rule("database_disk", threshold=90)
    run = check(mails)
    assert run.returncode == 1
    assert run.stderr == (
        "CommandError: database_disk: The disk of a database in DATABASE_URL cannot be read:"
        " use database_size.\n"
    )


def test_cron_fails_while_the_database_is_away(mails: MailServer) -> None:
    run = subprocess.run(
        [sys.executable, "manage.py", "check_alerts"],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": "postgres://tasks@127.0.0.1:1/tasks"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert run.returncode == 1
    assert run.stderr.startswith("CommandError: The database could not be used")
