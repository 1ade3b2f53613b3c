"""A check reads only, in one snapshot, and waits for nothing."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from django.db import InternalError, connection

from tasks import invariants
from tasks.invariants import check, parts
from tasks.invariants import snapshot as snapshots
from tasks.invariants.snapshot import snapshot
from tasks.models import Status
from tests.factories import make_task
from tests.queue_rows import execute
from tests.workers import database_url

pytestmark = pytest.mark.django_db(transaction=True)


def no_wait(seconds: float) -> bool:
    return False


def test_a_snapshot_refuses_every_write() -> None:
    make_task()
    with pytest.raises(InternalError, match="read-only transaction"), snapshot():
        execute("UPDATE tasks_task SET progress = 1")
    with pytest.raises(InternalError, match="read-only transaction"), snapshot():
        execute("SELECT nextval('procrastinate_jobs_id_seq')")


def test_every_statement_of_a_check_runs_in_a_read_only_repeatable_snapshot() -> None:
    make_task(Status.COMPLETED, losses=1)
    modes = set()
    names = set()

    def look_at_the_mode(
        execute: Any, statement: str, params: Any, many: bool, context: Any
    ) -> Any:
        if statement.startswith("-- verify "):
            names.add(statement.split()[2].rstrip(":"))
            execute(
                "SELECT current_setting('transaction_read_only'),"
                " current_setting('transaction_isolation'), current_setting('statement_timeout')",
                None, False, context,
            )  # fmt: skip
            modes.add(context["cursor"].fetchone())
        return execute(statement, params, many, context)

    with connection.execute_wrapper(look_at_the_mode):
        report = invariants.verify(wait=no_wait)
    assert report is not None
    assert len(report.findings) == 1
    assert modes == {("on", "repeatable read", f"{snapshots.STATEMENT_SECONDS}s")}
    assert names == {invariant.name for invariant in invariants.INVARIANTS}


def test_the_session_is_as_before_after_a_check() -> None:
    shown = "SELECT name, setting FROM pg_settings ORDER BY name"
    before = execute(shown)
    invariants.verify(wait=no_wait)
    assert execute(shown) == before


def test_rows_that_another_transaction_locks_are_read() -> None:
    make_task()
    with psycopg.connect(database_url()) as holder:
        holder.execute("SELECT FROM tasks_task FOR UPDATE")
        holder.execute("SELECT FROM procrastinate_jobs FOR UPDATE")
        report = invariants.verify(wait=no_wait)
    assert report is not None
    assert report.is_clean


def test_a_table_that_is_locked_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(snapshots._SETTINGS, "lock_timeout", "10ms")
    with psycopg.connect(database_url()) as holder:
        holder.execute("LOCK tasks_batch")
        report = invariants.verify(wait=no_wait)
    assert report is not None
    assert set(report.unchecked) == {"batch_too_large", "end_forgotten", "reference_missing"}
    assert "lock timeout" in report.unchecked["batch_too_large"]
    assert report.findings == []


def test_a_statement_that_fails_leaves_the_others() -> None:
    make_task(Status.COMPLETED, losses=1)
    execute("INSERT INTO procrastinate_jobs (queue_name, task_name) VALUES ('q', 'task:x')")
    execute('UPDATE procrastinate_jobs SET args = \'{"task_id": "no id"}\'')
    report = invariants.verify(wait=no_wait)
    assert report is not None
    assert [finding.invariant.name for finding in report.findings] == ["history_differs"]
    assert list(report.unchecked) == ["job_without_task"]


def test_a_database_of_a_newer_version_is_not_judged() -> None:
    execute(
        "INSERT INTO django_migrations (app, name, applied) VALUES ('tasks', '9999_newer', now())"
    )
    try:
        with pytest.raises(invariants.NotChecked, match="newer version"):
            invariants.verify(wait=no_wait)
    finally:
        execute("DELETE FROM django_migrations WHERE name = '9999_newer'")


@pytest.fixture
def of_three(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each part have three tasks, and name all that is found."""
    for module in (parts, check):
        monkeypatch.setattr(module, "LIMIT", 3)
    monkeypatch.setattr(check, "EXAMPLES", 100)


@pytest.mark.usefixtures("of_three")
def test_all_tasks_are_read_range_by_range_by_hand() -> None:
    for _ in range(8):
        make_task(Status.COMPLETED, losses=1)
    report = invariants.verify(wait=no_wait)
    assert report is not None
    assert [finding.count for finding in report.findings] == [8]


@pytest.mark.usefixtures("of_three")
def test_a_check_with_a_start_reads_the_newest_tasks_and_the_next_of_the_older() -> None:
    tasks = [make_task(Status.COMPLETED) for _ in range(10)]
    execute("UPDATE tasks_task SET losses = 1")
    ids = sorted(str(task.id) for task in tasks)
    seen, after = [], invariants.FIRST
    for _ in range(4):
        report = invariants.verify(after=after, wait=no_wait)
        assert report is not None
        (finding,) = report.findings
        seen.append(finding.examples)
        after = report.next_after
    newest = ids[7:]
    assert seen == [[*older, *newest] for older in (ids[:3], ids[3:6], ids[6:7], ids[:3])]
