"""Each invariant, broken by hand, is reported by its name with the id; a right row never is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tasks import invariants, lifecycle
from tasks.invariants import Report, check
from tasks.models import Outcome, Status, Task
from tests.factories import make_attempt, make_task, make_worker
from tests.invariants.breaking import BREAKERS, URL
from tests.queue_rows import execute

pytestmark = pytest.mark.django_db(transaction=True)


def verify(**options: Any) -> Report:
    """Check all, without a pause before the second look."""
    report = invariants.verify(wait=lambda seconds: False, **options)
    assert report is not None
    assert report.unchecked == {}
    return report


def make_right_rows() -> None:
    """Write rows of every status, tried, lost, scheduled and in a batch, with right values."""
    for status in (Status.PENDING, Status.PROCESSING, Status.COMPLETED, Status.FAILED):
        make_task(status)
    make_task(Status.CANCELLED, attempt=0, claim_number=0)
    lifecycle.submit("test.script", delay=60)
    lifecycle.submit_many([lifecycle.prepare("test.script") for _ in range(3)])
    lost = make_task(Status.COMPLETED, losses=1, claim_number=2)
    make_attempt(lost, Outcome.LOST, claim_number=1)
    cancelled = lifecycle.submit("test.script", callback_url=URL)
    lifecycle.cancel(cancelled)
    retried = make_task(Status.FAILED)
    lifecycle.retry(retried)
    make_task(Status.PROCESSING, worker_id=make_worker("just died", silent_for=20))
    execute("INSERT INTO procrastinate_jobs (queue_name, task_name) VALUES ('q', 'theirs')")


@pytest.fixture
def sequences() -> Iterator[None]:
    """Set the sequences right after the test: a truncated table keeps them."""
    yield
    for name in ("procrastinate_jobs_id_seq", "tasks_attempt_id_seq"):
        execute(f"SELECT setval('{name}', 1000000)")


@pytest.mark.usefixtures("sequences")
@pytest.mark.parametrize(
    ("name", "break_it"),
    [pytest.param(*each, id=f"{each[0]}-{n}") for n, each in enumerate(BREAKERS)],
)
def test_a_broken_invariant_is_reported_with_its_id(
    settings: Any, name: str, break_it: Callable[[], str]
) -> None:
    settings.CALLBACK_ALLOW_PRIVATE = True
    make_right_rows()
    assert verify().findings == []
    broken = break_it()
    found = {finding.invariant.name: finding for finding in verify().findings}
    assert found[name].count == 1
    assert found[name].examples == [broken]
    assert found[name].sentence == (
        f"{found[name].invariant.rows}: 1 ({broken}). {found[name].invariant.meaning}"
    )
    # What breaks one of them may break few others.
    assert len(found) <= 2


def test_the_breakers_know_every_invariant_but_that_of_the_schema() -> None:
    names = {invariant.name for invariant in invariants.INVARIANTS}
    assert names - {name for name, _ in BREAKERS} == {"schema_incomplete"}


@pytest.mark.parametrize(
    ("breaking", "mending", "fault"),
    [
        (
            "ALTER TABLE tasks_task DROP CONSTRAINT task_progress_percent",
            "ALTER TABLE tasks_task ADD CONSTRAINT task_progress_percent"
            " CHECK (progress BETWEEN 0 AND 100)",
            "missing: task_progress_percent",
        ),
        (
            "ALTER TABLE tasks_task DROP CONSTRAINT tasks_task_owner_id_db3dcc3e_fk_auth_user_id",
            "ALTER TABLE tasks_task ADD CONSTRAINT tasks_task_owner_id_db3dcc3e_fk_auth_user_id"
            " FOREIGN KEY (owner_id) REFERENCES auth_user (id) DEFERRABLE INITIALLY DEFERRED",
            "missing: foreign key of tasks_task.owner_id",
        ),
        (
            "ALTER TABLE tasks_task DROP CONSTRAINT task_progress_percent;"
            "ALTER TABLE tasks_task ADD CONSTRAINT task_progress_percent"
            " CHECK (progress BETWEEN 0 AND 100) NOT VALID",
            "ALTER TABLE tasks_task VALIDATE CONSTRAINT task_progress_percent",
            "not validated: task_progress_percent",
        ),
        (
            "DROP INDEX tasks_turns",
            "CREATE INDEX tasks_turns"
            " ON procrastinate_jobs (queue_name, priority, tasks_owner, tasks_turn)"
            " WHERE status = 'todo' AND scheduled_at IS NULL AND task_name LIKE 'task:%'"
            " AND attempts = 0",
            "missing: tasks_turns",
        ),
        (
            "ALTER TABLE procrastinate_jobs DISABLE TRIGGER tasks_announce",
            "ALTER TABLE procrastinate_jobs ENABLE TRIGGER tasks_announce",
            "disabled: trigger tasks_announce",
        ),
    ],
)
def test_a_schema_that_is_not_whole_is_reported(breaking: str, mending: str, fault: str) -> None:
    execute(breaking)
    try:
        (finding,) = verify().findings
    finally:
        execute(mending)
    assert (finding.invariant.name, finding.examples) == ("schema_incomplete", [fault])
    assert verify().findings == []


def test_many_violations_are_counted_and_five_are_named() -> None:
    for _ in range(7):
        make_task(Status.COMPLETED, losses=1)
    (finding,) = verify().findings
    ids = sorted(str(key) for key in Task.objects.values_list("id", flat=True))
    assert finding.sentence.startswith(
        f"Tasks with counts that their history does not confirm: 7 ({', '.join(ids[:5])}, …)."
    )


def test_what_mends_itself_before_the_second_look_is_not_reported() -> None:
    task = make_task()
    execute("DELETE FROM procrastinate_jobs")
    waits = []

    def reconcile(seconds: float) -> bool:
        waits.append(seconds)
        lifecycle.reconcile()
        return False

    report = invariants.verify(wait=reconcile)
    assert report is not None
    assert report.findings == []
    assert waits == [invariants.SETTLE_SECONDS]
    assert Task.objects.get().job_id == task.job_id


def test_a_claim_that_came_between_the_looks_is_not_taken_for_the_one_before() -> None:
    task = make_task(Status.PROCESSING, worker_id=make_worker(silent_for=600))
    execute("UPDATE tasks_task SET started_at = now() - interval '10 minutes'")

    def claim_again(seconds: float) -> bool:
        another = make_worker(silent_for=600)
        execute("UPDATE tasks_task SET started_at = now(), worker_id = %s, lease = 2", [another])
        return False

    report = invariants.verify(wait=claim_again)
    assert report is not None
    assert [finding.invariant.name for finding in report.findings] == []
    assert Task.objects.get().pk == task.pk


def test_jobs_without_a_task_are_not_judged_while_very_many_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for _ in range(3):
        make_task()
    execute("DELETE FROM tasks_task")
    assert [finding.count for finding in verify().findings] == [3]
    monkeypatch.setattr(check, "LIMIT", 2)
    assert verify().findings == []


def test_a_check_that_must_stop_reports_nothing() -> None:
    make_task(Status.COMPLETED, losses=1)
    assert invariants.verify(wait=lambda seconds: True) is None


def test_an_old_end_without_a_callback_is_left_because_it_may_have_been_deleted() -> None:
    task = make_task(Status.COMPLETED, callback_url=URL)
    assert [finding.examples for finding in verify().findings] == [[str(task.id)]]
    execute("UPDATE tasks_task SET finished_at = finished_at - interval '11 minutes'")
    assert verify().findings == []
