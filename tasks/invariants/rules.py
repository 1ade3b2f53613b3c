"""Rules: the invariants with their statements, and what operators read about a violation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString

from tasks import sql
from tasks.invariants.parts import Part


@dataclass(frozen=True, kw_only=True)
class Invariant:
    """What must hold; its statement, in `sql/<name>.sql`, returns the rows for which it does not.

    `parts` are those in which it looks; without any, the statement has bounds of its own.
    """

    name: str
    # The violating rows; what they mean; what to do.
    rows: str
    meaning: str
    remedy: str
    parts: tuple[Part, ...] = ()
    # Whether the ids of the rows are those of tasks.
    is_about_tasks: bool = True

    def statements(self) -> Iterator[tuple[Part | None, LiteralString]]:
        """Yield the statement for each part."""
        text = _read(self.name)
        for part in self.parts or (None,):
            yield part, text.replace("-- part\n", f"{part.value.strip()}\n") if part else text


def _read(name: str) -> LiteralString:
    # As literal as a string in this file, as in `tasks.sql`.
    text: LiteralString = (Path(__file__).parent / "sql" / f"{name}.sql").read_text("utf-8")
    text = text.replace("-- is_jobless\n", sql.IS_JOBLESS)
    return text.replace("-- is_taskless\n", sql.IS_TASKLESS)


_BY_HAND = (
    "Only a change by hand, a restored part of a backup or a defect of this system does this."
)

INVARIANTS = (
    Invariant(
        name="waiting_without_job",
        rows="Waiting tasks without a job",
        meaning="No worker can claim them, so they never start.",
        remedy=(
            "Start a worker: the reconciler gives them a job within minutes. If workers run, look"
            " for 'could not rescue, reconcile or prune tasks' in their log."
        ),
        parts=(Part.WAITING, Part.RANGE),
    ),
    Invariant(
        name="job_without_task",
        rows="Jobs that no task names",
        meaning=(
            "Their tasks are gone, have ended or have another job. A claim that meets one deletes"
            " it and runs nothing, so no task is lost."
        ),
        remedy=(
            "Start a worker: the reconciler deletes them. If workers run, look for 'could not"
            " rescue, reconcile or prune tasks' in their log."
        ),
        parts=(Part.JOBS,),
        is_about_tasks=False,
    ),
    Invariant(
        name="job_differs",
        rows="Waiting tasks with a wrong job",
        meaning=(
            "The job is another task's, or its queue, priority, kind, attempts, time or status is"
            " not the task's: the task starts at a wrong time or place, or never."
        ),
        remedy=(
            "Delete the row of procrastinate_jobs that has the task's job_id: the reconciler makes"
            f" a right one within minutes. {_BY_HAND}"
        ),
        parts=(Part.WAITING, Part.RANGE),
    ),
    Invariant(
        name="running_without_worker",
        rows="Running tasks without a living worker",
        meaning="The worker that claimed them is gone, and they were not queued again.",
        remedy=(
            "Start a worker or run manage.py rescue: both queue them again. If workers run, look"
            " for 'could not rescue, reconcile or prune tasks' in their log, and for a transaction"
            " that is open for long and locks the tasks."
        ),
        parts=(Part.RUNNING,),
    ),
    Invariant(
        name="history_differs",
        rows="Tasks with counts that their history does not confirm",
        meaning=(
            "Attempts, losses, crashes or the claim number of the task disagree with the recorded"
            " attempts: an attempt may have run uncounted, or ended twice."
        ),
        remedy=f"Compare the task's page in the console with the log of its attempts. {_BY_HAND}",
        parts=(Part.RANGE, Part.RUNNING),
    ),
    Invariant(
        name="too_many_attempts",
        rows="Tasks that were attempted, lost or crashed more often than allowed",
        meaning="A limit that protects workers from a harmful task was passed.",
        remedy=f"Cancel those that wait, and read their history in the console. {_BY_HAND}",
        parts=(Part.RANGE, Part.RUNNING),
    ),
    Invariant(
        name="result_differs",
        rows="Tasks with a result or an error that does not fit their status",
        meaning=(
            "A completed task has no result or has an error, a failed one has no error, or one that"
            " has not completed has a result: its owner reads something wrong."
        ),
        remedy=f"Retry failed ones in the console; submit completed ones again. {_BY_HAND}",
        parts=(Part.RANGE,),
    ),
    Invariant(
        name="callback_missing",
        rows="Ended tasks without their callback",
        meaning=(
            "They ended in the last ten minutes and have a callback address, but no task notifies"
            " it, so the receiver is not told. Or the callback was deleted by hand since."
        ),
        remedy=f"Notify the receiver, or let it read the tasks by the API. {_BY_HAND}",
        parts=(Part.NEWEST,),
    ),
    Invariant(
        name="callback_doubled",
        rows="Callbacks of which there are several for one end of a task",
        meaning="The receiver is notified of one end under several ids.",
        remedy=f"Cancel those that wait. {_BY_HAND}",
        parts=(Part.NEWEST,),
    ),
    Invariant(
        name="batch_too_large",
        rows="Batches with more tasks than were submitted",
        meaning="The progress of the batch is wrong.",
        remedy=f"Compare its tasks with what was submitted. {_BY_HAND}",
        is_about_tasks=False,
    ),
    Invariant(
        name="reference_missing",
        rows="Tasks that name an account or a batch that does not exist",
        meaning="Only operators see them, and changes of them may be refused.",
        remedy=(
            "Restore the accounts and batches from the same backup as the tasks, or delete these"
            " tasks."
        ),
        parts=(Part.RANGE,),
    ),
    Invariant(
        name="limit_exceeded",
        rows="Limits under which more tasks run, or may start, than are allowed",
        meaning="What the limit protects gets more work at once than it should.",
        remedy=(
            "Look at the limit's tasks in the console; the number falls as they end, and none"
            f" starts before. {_BY_HAND}"
        ),
        is_about_tasks=False,
    ),
    Invariant(
        name="permit_differs",
        rows="Tasks that run without their permits, and permits of tasks that do not run",
        meaning="More tasks start under a limit than are allowed, or fewer.",
        remedy=(
            "A worker of an older version starts tasks without permits: stop it. Set released_at of"
            f" a permit if its task does not run. {_BY_HAND}"
        ),
        parts=(Part.RUNNING,),
    ),
    Invariant(
        name="line_forgotten",
        rows="Lines of blocked tasks that nothing will look at",
        meaning="Their limits would let them start, and no worker will notice.",
        remedy=(
            "Change the limit in the console, or set look_at of the line in tasks_line to now():"
            f" then workers look at it. {_BY_HAND}"
        ),
        parts=(Part.JOBS,),
        is_about_tasks=False,
    ),
    Invariant(
        name="end_forgotten",
        rows="Ended batches and tasks that may start, on which no worker has acted",
        meaning="What follows them never begins.",
        remedy=(
            "Insert a row into tasks_notedend with the task and the batch that have ended: then"
            f" workers act upon it. {_BY_HAND}"
        ),
        is_about_tasks=False,
    ),
    Invariant(
        name="sequence_behind",
        rows="Sequences that would return a number that is in use",
        meaning="New tasks, attempts or workers may be refused, or take the place of others.",
        remedy=(
            "Stop the system and set each sequence to the greatest number in use, by"
            " SELECT setval(…). Tools that copy tables without their sequences cause this."
        ),
        parts=(Part.RUNNING,),
        is_about_tasks=False,
    ),
    Invariant(
        name="schema_incomplete",
        rows="Constraints, indexes or triggers that are missing, invalid or disabled",
        meaning="The database no longer refuses wrong rows, or is slow to find the right ones.",
        remedy=(
            "Add what is missing again, by the definition in the migrations; REINDEX an index that"
            " is not valid, VALIDATE a constraint, ENABLE a trigger. A restore or a migration that"
            " was stopped causes this."
        ),
        is_about_tasks=False,
    ),
)
BY_NAME = {invariant.name: invariant for invariant in INVARIANTS}
