"""`manage.py verify`: its exit codes, and what it prints."""

from __future__ import annotations

import os
import subprocess
import sys
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from tasks import invariants
from tasks.invariants import check
from tasks.models import Status
from tests.factories import make_task
from tests.queue_rows import execute
from tests.workers import ROOT, database_url

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "SETTLE_SECONDS", 0.0)


def verify(code: int) -> str:
    """Run the command, which must end with this code; return what it prints."""
    output = StringIO()
    if code == 0:
        call_command("verify", stdout=output, no_color=True)
    else:
        with pytest.raises(CommandError) as raised:
            call_command("verify", stdout=output, no_color=True)
        assert raised.value.returncode == code
    return output.getvalue()


def test_it_ends_with_0_if_every_invariant_holds() -> None:
    make_task()
    count = len(invariants.INVARIANTS)
    assert verify(0).startswith(f"{count} of {count} invariants hold; read in ")
    report = invariants.last_report()
    assert report is not None
    assert report.is_clean


def test_it_ends_with_1_and_says_which_does_not_hold_and_what_to_do() -> None:
    task = make_task(Status.COMPLETED, losses=1)
    lines = verify(1).splitlines()
    assert lines[0].startswith("An invariant does not hold now; a second look")
    assert lines[1] == "history_differs"
    assert lines[2].startswith(
        f"  Tasks with counts that their history does not confirm: 1 ({task.id}). Attempts,"
    )
    assert lines[3].startswith("  What to do: Compare the task's page in the console")
    assert lines[4].startswith("16 of 17 invariants hold")


def test_it_ends_with_2_if_a_statement_failed() -> None:
    execute("INSERT INTO procrastinate_jobs (queue_name, task_name) VALUES ('q', 'task:x')")
    execute('UPDATE procrastinate_jobs SET args = \'{"task_id": "no id"}\'')
    lines = verify(2).splitlines()
    assert lines[0] == "job_without_task"
    assert lines[1].startswith("  Could not be checked: invalid input syntax for type uuid")


@pytest.mark.parametrize(
    ("url", "code", "words"),
    [
        (None, 0, "invariants hold"),
        ("postgresql://nobody@127.0.0.1:1/nothing", 2, "Could not check: "),
    ],
)
def test_the_exit_code_of_the_process(url: str | None, code: int, words: str) -> None:
    ended = subprocess.run(
        [sys.executable, "manage.py", "verify"],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url or database_url()},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == code, ended.stderr
    assert words in ended.stdout + ended.stderr


def test_a_database_that_takes_no_writes_can_be_checked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    execute("SET default_transaction_read_only = on")
    try:
        call_command("verify")
    finally:
        execute("SET default_transaction_read_only = off")
    printed = capsys.readouterr()
    assert "17 of 17 invariants hold" in printed.out
    assert "The result was not stored: cannot execute" in printed.err
    assert invariants.last_report() is None
