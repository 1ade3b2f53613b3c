"""Status panel of a task's page: its current state, attempts and buttons."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.contrib.auth.models import AnonymousUser, User
from django.utils import timezone

from tasks.access import may_change, may_operate
from tasks.kinds import all_kinds
from tasks.models import Attempt, Lane, Status, Task
from tasks.models.attempt import history_of
from tasks.models.task import CANCELLABLE, RETRYABLE
from tasks.stats import Waiting, waiting_reason

POLL_SECONDS = 1
# For a task that is not due within a minute.
SLOW_POLL_SECONDS = 10
GENERIC_RESULT = "tasks/results/generic.html"


@dataclass(frozen=True, kw_only=True)
class StatusPanel:
    """A task as its page shows it, and the actions its visitor may take."""

    task: Task
    attempts: list[Attempt]
    result_templates: list[str]
    poll_seconds: int | None
    may_cancel: bool
    may_retry: bool
    waiting: Waiting | None

    @classmethod
    def of(cls, task: Task, *, visitor: User | AnonymousUser) -> StatusPanel:
        """Build the panel of a task for a visitor."""
        is_allowed = may_change(visitor, owner_id=task.owner_id)
        return cls(
            task=task,
            attempts=history_of(task),
            result_templates=result_templates(task.kind),
            poll_seconds=poll_seconds(task),
            may_cancel=is_allowed and task.status in CANCELLABLE and not task.cancel_requested,
            may_retry=is_allowed and task.status in RETRYABLE,
            waiting=waiting_reason(task, to_operator=may_operate(visitor)),
        )

    @property
    def kind_is_known(self) -> bool:
        return self.task.kind in all_kinds()

    @property
    def is_stopping(self) -> bool:
        return self.task.status == Status.PROCESSING and self.task.cancel_requested


def poll_seconds(task: Task, *, now: dt.datetime | None = None) -> int | None:
    """Return when to poll again; None when the task has ended."""
    if task.is_terminal:
        return None
    now = now or timezone.now()
    if task.lane == Lane.SCHEDULED and task.scheduled_at and not task.waits_for_others:
        due_in = task.scheduled_at - now
        return SLOW_POLL_SECONDS if due_in > dt.timedelta(minutes=1) else POLL_SECONDS
    return POLL_SECONDS


def result_templates(kind: str) -> list[str]:
    """Return the templates to try for a kind's result.

    An app replaces the generic view for its kind `yourapp.greet` with the template
    `templates/tasks/results/yourapp.greet.html`; its context has `task` and `result`.
    """
    # A name that is not registered could be a path.
    specific = [f"tasks/results/{kind}.html"] if kind in all_kinds() else []
    return [*specific, GENERIC_RESULT]
