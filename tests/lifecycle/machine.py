"""R47: every verb and statement, in any order, on a real PostgreSQL; run by Hypothesis."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from django.db import transaction
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, invariant, multiple, rule

from tasks import lifecycle, limits, sql
from tasks.errors import TaskGone, WrongStatus
from tasks.kinds.exceptions import LostClaim
from tasks.lifecycle.ending import Claim, Ending
from tasks.models import Scope, Status, Task
from tasks.models.task import TERMINAL
from tests.factories import make_worker
from tests.lifecycle.claiming import claim, finish, heartbeat, progress
from tests.lifecycle.known import ENDINGS, Known
from tests.lifecycle.machine_submissions import ORDERED, QUEUES, Submissions
from tests.lifecycle.stored import check_stored
from tests.limits.rules import make_limit
from tests.queue_rows import execute

LIMITED = "second"
WORKERS = st.integers(0, 1)
PAST_THE_LEASE = 16
COPY_JOB = """
    INSERT INTO procrastinate_jobs (queue_name, task_name, args, priority, attempts)
    SELECT job.queue_name, job.task_name, job.args, job.priority, job.attempts
    FROM procrastinate_jobs AS job JOIN tasks_task ON tasks_task.job_id = job.id
    WHERE tasks_task.id = %s
    RETURNING id
"""
DELETE_JOB = """
    DELETE FROM procrastinate_jobs USING tasks_task
    WHERE tasks_task.id = %s AND procrastinate_jobs.id = tasks_task.job_id
"""


class TaskLives(Submissions):
    """A few tasks, two workers, and what each move must have done to every task.

    An example is one transaction that is rolled back; the clock is moved by rewriting times.
    """

    ids = Submissions.ids
    claims = Bundle("claims")

    def __init__(self) -> None:
        super().__init__()
        self._example = transaction.atomic()
        self._example.__enter__()
        self.workers = [make_worker("test:0"), make_worker("test:1")]
        self.dead: set[int] = set()
        # The dead workers that a rescue has marked as lost.
        self.lost: set[int] = set()
        self.paused: set[str] = set()
        # Duplicates made by hand, until a claim or the reconciler deletes them.
        self.strays: set[int] = set()
        self.moves = 0
        # How deleted tasks ended, until what waits for them has noticed.
        self.gone: dict[uuid.UUID, str] = {}
        self.limit = make_limit(name=LIMITED, concurrent=2)
        self.ordered = make_limit(Scope.KEY, ORDERED, path="account", concurrent=1, ordered=True)

    def teardown(self) -> None:
        """Check what is otherwise checked at the commit, then leave nothing behind."""
        try:
            execute("SET CONSTRAINTS ALL IMMEDIATE")
        finally:
            transaction.set_rollback(True)
            self._example.__exit__(None, None, None)

    @rule(
        target=claims,
        which=WORKERS,
        limit=st.integers(1, 5),
        share=st.integers(0, 5),
        later=st.booleans(),
    )
    def claim(self, which: int, limit: int, share: int, later: bool) -> Any:
        if later:
            self._time_passes()
        due = [
            task
            for task in self.known.values()
            if task.status == Status.PENDING and task.due and task.queue not in self.paused
            if task.id not in self.jobless and not task.expired
        ]
        expired = [task for task in self.known.values() if task.expired]
        limited = sum(task.queue == LIMITED for task in due)
        room = self._room()
        # A task whose job was lost by hand may have a permit, and one that has expired.
        idle = {*self.jobless, *(task.id for task in expired)}
        taken = sum(self.known[id].queue == LIMITED for id in idle)
        one_after_another = sum(task.ordered for task in due)
        startable = len(due) - limited - one_after_another + max(0, min(limited, room - taken))
        startable += self._may_start_next(due)
        claims = claim(self.workers[which], limit=limit, retry_share=min(share, limit))
        if self.workers[which] in self.lost:
            assert claims == []
            return multiple()
        assert {held.id for held in claims} <= {task.id for task in due}
        assert sum(held.queue == LIMITED for held in claims) <= room
        # A duplicate job takes a place in the claim and is then deleted; so is one of a task that
        # has expired.
        assert len(claims) >= min(limit, startable) - len(self.strays) - len(expired)
        self.jobless.update(task.id for task in expired if not _has_job(task.id))
        for held in claims:
            if self.known[held.id].ordered:
                assert not self.ordered.paused
                assert not any(task.has_turn for task in self.known.values() if task.id != held.id)
            self.known[held.id].claimed(self.workers[which])
            assert self.known[held.id].is_held_by(held)
        return multiple(*claims)

    @rule(held=claims, how=st.sampled_from(sorted(ENDINGS)), by_handler=st.booleans())
    def finish(self, held: Claim, how: str, by_handler: bool) -> None:
        """End an attempt; often with a claim that was lost long ago."""
        task = self.known.get(held.id)
        owned = bool(task and task.is_held_by(held))
        end = _finish_in_transaction if by_handler else finish
        assert end(ENDINGS[how](held)) == owned
        if task and owned:
            task.ended(how)

    @rule(group=st.lists(claims, min_size=2, max_size=6, unique_by=lambda held: held.key))
    def finish_a_group(self, group: list[Claim]) -> None:
        owned = [held for held in group if held.id in self.known]
        owned = [held for held in owned if self.known[held.id].is_held_by(held)]
        assert finish(*(ENDINGS["complete"](held) for held in group)) == len(owned)
        for held in owned:
            self.known[held.id].ended("complete")

    @rule(held=claims, percent=st.integers(0, 100))
    def report_progress(self, held: Claim, percent: int) -> None:
        task = self.known.get(held.id)
        assert progress(held, percent=percent) == bool(task and task.is_held_by(held))

    @rule(which=WORKERS)
    def heartbeat(self, which: int) -> None:
        """Renew a lease unless a rescue has ended it; the answer names the claims to cancel."""
        worker = self.workers[which]
        held, to_cancel = heartbeat(worker)
        assert held == (worker not in self.lost)
        if held:
            self.dead.discard(worker)
        assert set(to_cancel) == {
            (task.id, task.claim_number)
            for task in self.known.values()
            if task.worker_id == worker and task.cancel_requested
        }

    @rule(which=WORKERS, how=st.sampled_from(["freezes", "dies", "leaves"]))
    def lose_a_worker(self, which: int, how: str) -> None:
        """Let a worker miss its renewals while it holds tasks; a frozen one goes on later."""
        worker = self.workers[which]
        if how == "leaves":
            execute(sql.DEREGISTER, {"workers": [worker]})
            assert claim(worker) == []
        else:
            execute(
                "UPDATE tasks_worker SET heartbeat_at = heartbeat_at - %s * interval '1 second'"
                " WHERE id = %s",
                [PAST_THE_LEASE, worker],
            )
        if how != "freezes" or worker in self.dead:
            self.workers[which] = make_worker(f"test:{which}")
        self.dead.add(worker)

    @rule(id=ids, verb=st.sampled_from(["cancel", "retry", "delete"]))
    def call_verb(self, id: uuid.UUID, verb: str) -> None:
        """Call a verb as the interfaces do: it succeeds, or the right error is raised."""
        task = self.known.get(id)
        if not task or not task.allows(verb):
            assert self._is_refused(verb, id)
            return
        getattr(lifecycle, verb)(Task(id=id))
        if verb == "retry":
            task.retried()
        else:
            task.cancelled()
        if verb == "delete":
            if task.last_end:
                self.gone[id] = task.last_end
            del self.known[id]
        if task.status in TERMINAL:
            self.jobless.discard(id)

    @rule(target=claims, which=WORKERS, how=st.sampled_from(["crash", "lost"]))
    def die_and_be_retried(self, which: int, how: str) -> Any:
        """Let processes die during tasks, then retry these: earlier deaths no longer count."""
        claimed = self._claim_and_end(which, how)
        for held in claimed:
            if self.known[held.id].allows("cancel"):
                self.call_verb(held.id, "cancel")
            self.call_verb(held.id, "retry")
        return multiple(*claimed)

    @rule(
        target=claims,
        which=WORKERS,
        how=st.sampled_from(["interrupt", "release", "snooze", "lost"]),
    )
    def wait_again(self, which: int, how: str) -> Any:
        """Let tasks wait again without a spent attempt: they keep their place in the queue."""
        return multiple(*self._claim_and_end(which, how))

    @rule(what=st.sampled_from(["rescue", "rescue", "reconcile", "expire"]))
    def sweep(self, what: str) -> None:
        """Rescue the tasks of dead workers, cancel what has expired, or reconcile."""
        if what == "expire":
            late = [task for task in self.known.values() if task.expired]
            assert lifecycle.expire() == len(late)
            for task in late:
                task.was_too_late()
                self.jobless.discard(task.id)
            return
        if what == "reconcile":
            assert lifecycle.reconcile() == (len(self.jobless), len(self.strays))
            for id in self.jobless:
                self.known[id].enqueued_again()
            self.jobless.clear()
            self.strays.clear()
            return
        lost = [task for task in self.known.values() if task.worker_id in self.dead]
        assert lifecycle.rescue() == len(lost)
        self.lost |= self.dead
        for task in lost:
            task.lost()

    @rule()
    def settle(self) -> None:
        """Let what waits for others start, or cancel it."""
        lifecycle.settle()
        ends = self.gone | {task.id: task.last_end for task in self.known.values()}
        for task in self.known.values():
            last = ends.get(task.after) if task.after and task.waits else None
            if last == Status.COMPLETED and (task.status == Status.PENDING or task.skipped):
                task.may_start()
            elif last == Status.COMPLETED:
                task.waits = False
            elif last and task.status == Status.PENDING:
                task.can_never_start()
            elif task.rechecked and task.status == Status.PENDING:
                if not task.waits:
                    task.may_start()
                elif task.after not in self.known:
                    task.can_never_start()
            task.rechecked = False
        self.gone.clear()
        for task in self.known.values():
            task.last_end = None

    @rule(queue=st.sampled_from(QUEUES), pause=st.booleans())
    def switch_a_queue(self, queue: str, pause: bool) -> None:
        if pause:
            lifecycle.pause_queue(queue)
            self.paused.add(queue)
        else:
            lifecycle.resume_queue(queue)
            self.paused.discard(queue)

    @rule(concurrent=st.sampled_from([1, 2, 3, None]), paused=st.booleans())
    def change_the_limit(self, concurrent: int | None, paused: bool) -> None:
        self.limit = limits.change(self.limit, concurrent=concurrent, paused=paused)

    @rule(paused=st.booleans())
    def pause_the_ordered_limit(self, paused: bool) -> None:
        self.ordered = limits.change(self.ordered, paused=paused)

    @rule(id=ids, how=st.sampled_from(["lost", "delivered twice"]))
    def break_a_job(self, id: uuid.UUID, how: str) -> None:
        """Lose or duplicate a job, which happens only by hand."""
        task = self.known.get(id)
        if how == "delivered twice":
            self.strays.update(job_id for (job_id,) in execute(COPY_JOB, [id]))
        elif task and task.status == Status.PENDING:
            execute(DELETE_JOB, [id])
            self.jobless.add(id)

    @invariant()
    def stored_rows_match_the_model(self) -> None:
        self.moves += 1
        self.strays = check_stored(self.known, jobless=self.jobless, strays=self.strays)

    def _may_start_next(self, due: Sequence[Known]) -> bool:
        """Return whether an ordered task must start, if nothing was broken by hand."""
        ordered = [task for task in self.known.values() if task.ordered]
        if self.ordered.paused or any(task.id in self.jobless for task in ordered):
            return False
        turns = [task for task in ordered if task.has_turn]
        return any(task in due for task in turns or ordered)

    def _room(self) -> int:
        """Return how many more tasks may start in the limited queue."""
        if self.limit.paused:
            return 0
        if self.limit.concurrent is None:
            return len(self.known)
        running = sum(
            task.status == Status.PROCESSING and task.queue == LIMITED
            for task in self.known.values()
        )
        return max(0, self.limit.concurrent - running)

    def _claim_and_end(self, which: int, how: str) -> tuple[Claim, ...]:
        claimed: tuple[Claim, ...] = self.claim(which, 2, 1, later=True).values
        if how == "lost":
            self.lose_a_worker(which, "dies")
            self.sweep("rescue")
        else:
            for held in claimed:
                self.finish(held, how, by_handler=False)
        return claimed

    def _time_passes(self) -> None:
        """Make every delayed, retried and snoozed task due."""
        for table, column in (
            ("tasks_task", "scheduled_at"),
            ("tasks_task", "expires_at"),
            ("procrastinate_jobs", "scheduled_at"),
        ):
            execute(
                f"UPDATE {table} SET {column} = {column} - interval '2 hours'"
                f" WHERE {column} IS NOT NULL"
            )
        for task in self.known.values():
            if task.expires and task.status == Status.PENDING and not task.claim_number:
                task.expired = True
            task.due = task.due or (
                task.status == Status.PENDING and not task.waits and not task.rechecked
            )

    def _is_refused(self, verb: str, id: uuid.UUID) -> bool:
        """Return whether the verb refuses the task; deleting a deleted task is not an error."""
        try:
            getattr(lifecycle, verb)(Task(id=id))
        except TaskGone:
            return id not in self.known
        except WrongStatus as error:
            return error.status == self.known[id].status
        return verb == "delete" and id not in self.known


def _has_job(id: uuid.UUID) -> bool:
    return bool(
        execute(
            "SELECT 1 FROM procrastinate_jobs JOIN tasks_task"
            " ON tasks_task.job_id = procrastinate_jobs.id WHERE tasks_task.id = %s",
            [id],
        )
    )


def _finish_in_transaction(ending: Ending) -> bool:
    """Finish as a transactional handler does; False when the claim was lost."""
    try:
        lifecycle.finish(ending, worker="test:0")
    except LostClaim:
        return False
    return True
