"""R47: every verb and statement, in any order, on a real PostgreSQL; run by Hypothesis."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import IntegrityError, transaction
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    multiple,
    precondition,
    rule,
)

from tasks import lifecycle, sql
from tasks.ending import Claim
from tasks.errors import TaskGone, WrongStatus
from tasks.models import Status, Task
from tasks.models.task import RETRYABLE, TERMINAL
from tasks.outcomes import LostClaim
from tests.factories import make_worker
from tests.lifecycle.claiming import claim, finish, heartbeat, progress
from tests.lifecycle.known import ENDINGS, Known
from tests.lifecycle.stored import check_stored
from tests.queue_rows import execute

QUEUES = ("first", "second")
WORKERS = st.integers(0, 1)
PAST_THE_LEASE = 16


class TaskLives(RuleBasedStateMachine):
    """A few tasks, two workers, and what each move must have done to every task.

    An example is one transaction that is rolled back; the clock is moved by rewriting times.
    """

    ids = Bundle("ids")
    claims = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        self._example = transaction.atomic()
        self._example.__enter__()
        self.known: dict[uuid.UUID, Known] = {}
        self.seats = [make_worker("test:0"), make_worker("test:1")]
        self.dead: set[int] = set()
        self.gone: set[int] = set()
        self.paused: set[str] = set()
        # Broken by hand, until a claim or the reconciler mends it.
        self.jobless: set[uuid.UUID] = set()
        self.strays: set[int] = set()

    def teardown(self) -> None:
        """Check what is otherwise checked at the commit, then leave nothing behind."""
        try:
            execute("SET CONSTRAINTS ALL IMMEDIATE")
        finally:
            transaction.set_rollback(True)
            self._example.__exit__(None, None, None)

    @rule(
        target=ids,
        queue=st.sampled_from(QUEUES),
        priority=st.integers(-1, 1),
        max_attempts=st.integers(1, 3),
        delay=st.sampled_from([None, None, 0.0, 3600.0]),
    )
    def submit(
        self, queue: str, priority: int, max_attempts: int, delay: float | None
    ) -> uuid.UUID:
        task = lifecycle.submit(
            "test.script", queue=queue, priority=priority, max_attempts=max_attempts, delay=delay
        )
        self.known[task.id] = Known(task.id, queue, max_attempts, due=not delay)
        return task.id

    @rule(target=claims, which=WORKERS, limit=st.integers(1, 5), share=st.integers(0, 5))
    def claim(self, which: int, limit: int, share: int) -> Any:
        due = [
            one.id
            for one in self.known.values()
            if one.status == Status.PENDING and one.due and one.queue not in self.paused
            if one.id not in self.jobless
        ]
        try:
            with transaction.atomic():
                claims = claim(self.seats[which], limit=limit, retry_share=min(share, limit))
        except IntegrityError:
            # A worker without a seat takes nothing.
            assert self.seats[which] in self.gone
            return multiple()
        assert {one.id for one in claims} <= set(due)
        # A second delivery uses up a place in the claim, and is gone then.
        assert len(claims) >= min(limit, len(due)) - len(self.strays)
        for one in claims:
            self.known[one.id].claimed(self.seats[which])
            assert self.known[one.id].is_held_by(one)
        return multiple(*claims)

    @rule(held=claims, how=st.sampled_from(sorted(ENDINGS)))
    def finish(self, held: Claim, how: str) -> None:
        """End an attempt; often one whose claim was lost long ago."""
        task = self.known.get(held.id)
        owned = bool(task and task.is_held_by(held))
        assert finish(ENDINGS[how](held)) == owned
        if task and owned:
            task.ended(how)

    @rule(group=st.lists(claims, min_size=2, max_size=6, unique_by=lambda one: one.key))
    def finish_a_group(self, group: list[Claim]) -> None:
        owned = [one for one in group if one.id in self.known]
        owned = [one for one in owned if self.known[one.id].is_held_by(one)]
        assert finish(*(ENDINGS["complete"](one) for one in group)) == len(owned)
        for one in owned:
            self.known[one.id].ended("complete")

    @rule(held=claims)
    def finish_in_the_handlers_transaction(self, held: Claim) -> None:
        task = self.known.get(held.id)
        owned = bool(task and task.is_held_by(held))
        try:
            lifecycle.finish(ENDINGS["complete"](held), worker="test:0")
        except LostClaim:
            assert not owned
        else:
            assert task
            assert owned
            task.ended("complete")

    @rule(held=claims, percent=st.integers(0, 100))
    def tell_progress(self, held: Claim, percent: int) -> None:
        task = self.known.get(held.id)
        assert progress(held, percent=percent) == bool(task and task.is_held_by(held))

    @rule(which=WORKERS)
    def heartbeat(self, which: int) -> None:
        """Renew a lease unless it has ended, and hear what should stop."""
        seat = self.seats[which]
        held, to_cancel = heartbeat(seat)
        assert held == (seat not in self.dead)
        assert set(to_cancel) == {
            one.id for one in self.known.values() if one.worker_id == seat and one.cancel_requested
        }

    @rule(which=WORKERS)
    def lease_ends(self, which: int) -> None:
        """Freeze a worker beyond its lease; what it still writes comes from a zombie."""
        execute(
            "UPDATE tasks_worker SET heartbeat_at = heartbeat_at - %s * interval '1 second'"
            " WHERE id = %s",
            [PAST_THE_LEASE, self.seats[which]],
        )
        self.dead.add(self.seats[which])

    @rule(which=WORKERS)
    def crash(self, which: int) -> None:
        """End a worker without a word and start another in its place."""
        self.lease_ends(which)
        self.seats[which] = make_worker(f"test:{which}")

    @rule(which=WORKERS)
    def leave(self, which: int) -> None:
        """Have a worker leave with tasks in its hands: its row is gone."""
        execute(sql.UNREGISTER, {"workers": [self.seats[which]]})
        self.dead.add(self.seats[which])
        self.gone.add(self.seats[which])

    @rule(id=ids)
    def cancel(self, id: uuid.UUID) -> None:
        task = self.known.get(id)
        if not task or task.status in TERMINAL:
            assert self._is_refused(lifecycle.cancel, id)
            return
        lifecycle.cancel(Task(id=id))
        task.cancel_requested = True
        if task.status == Status.PENDING:
            task.status = Status.CANCELLED
            self.jobless.discard(id)

    @rule(id=ids)
    def retry(self, id: uuid.UUID) -> None:
        task = self.known.get(id)
        if task and task.status in RETRYABLE:
            lifecycle.retry(Task(id=id))
            task.retried()
        else:
            assert self._is_refused(lifecycle.retry, id)

    @rule(id=ids)
    def delete(self, id: uuid.UUID) -> None:
        task = self.known.get(id)
        if task and task.status == Status.PROCESSING:
            assert self._is_refused(lifecycle.delete, id)
            return
        lifecycle.delete(Task(id=id))
        self.known.pop(id, None)
        self.jobless.discard(id)

    @rule()
    def rescue(self) -> None:
        lost = [one for one in self.known.values() if one.worker_id in self.dead]
        assert lifecycle.rescue() == len(lost)
        for one in lost:
            one.lost()

    @rule()
    def time_passes(self) -> None:
        """Bring every due time: of delays, back-offs and snoozes."""
        for table in ("tasks_task", "procrastinate_jobs"):
            execute(
                f"UPDATE {table} SET scheduled_at = scheduled_at - interval '2 hours'"
                " WHERE scheduled_at IS NOT NULL"
            )
        for one in self.known.values():
            one.due = one.due or one.status == Status.PENDING

    @rule(queue=st.sampled_from(QUEUES))
    def pause(self, queue: str) -> None:
        lifecycle.pause_queue(queue)
        self.paused.add(queue)

    @rule(queue=st.sampled_from(QUEUES))
    def resume(self, queue: str) -> None:
        lifecycle.resume_queue(queue)
        self.paused.discard(queue)

    @rule(id=ids)
    def a_job_is_lost(self, id: uuid.UUID) -> None:
        task = self.known.get(id)
        if task and task.status == Status.PENDING:
            execute(
                "DELETE FROM procrastinate_jobs USING tasks_task"
                " WHERE tasks_task.id = %s AND procrastinate_jobs.id = tasks_task.job_id",
                [id],
            )
            self.jobless.add(id)

    @rule(id=ids)
    def a_job_is_delivered_twice(self, id: uuid.UUID) -> None:
        copied = execute(
            "INSERT INTO procrastinate_jobs (queue_name, task_name, args, priority, attempts)"
            " SELECT job.queue_name, job.task_name, job.args, job.priority, job.attempts"
            " FROM procrastinate_jobs AS job JOIN tasks_task ON tasks_task.job_id = job.id"
            " WHERE tasks_task.id = %s RETURNING id",
            [id],
        )
        self.strays.update(job_id for (job_id,) in copied)

    @precondition(lambda self: self.jobless or self.strays)
    @rule()
    def reconcile(self) -> None:
        enqueued, _ = lifecycle.reconcile()
        assert enqueued == len(self.jobless)
        self.jobless.clear()
        self.strays.clear()

    @precondition(lambda self: not self.jobless and not self.strays)
    @rule()
    def reconcile_what_is_whole(self) -> None:
        assert lifecycle.reconcile() == (0, 0)

    @invariant()
    def what_is_stored_is_what_must_be(self) -> None:
        self.strays = check_stored(self.known, jobless=self.jobless, strays=self.strays)

    def _is_refused(self, verb: Any, id: uuid.UUID) -> bool:
        """Say whether the verb refuses the task, truthfully; deleting what is gone is no error."""
        try:
            verb(Task(id=id))
        except TaskGone:
            return id not in self.known
        except WrongStatus as error:
            return error.task.status == self.known[id].status
        return False
