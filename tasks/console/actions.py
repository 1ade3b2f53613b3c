"""Actions on tasks: retry, cancel and delete, with their labels and audit entries."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.contrib.admin.models import CHANGE, DELETION
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import transaction
from django.db.models import QuerySet

from tasks import lifecycle
from tasks.console.audit import record
from tasks.models import Status, Task
from tasks.models.task import CANCELLABLE, DELETABLE, RETRYABLE


@dataclass(frozen=True, kw_only=True)
class Action:
    """An action: its lifecycle verb, the statuses it applies to, and its texts."""

    name: str
    label: str
    participle: str
    refusal: str
    statuses: tuple[Status, ...]
    run: Callable[[Sequence[uuid.UUID]], int]
    flag: int = CHANGE

    def applies_to(self, task: Task) -> bool:
        """Return whether a task's status allows the action."""
        return task.status in self.statuses


RETRY = Action(
    name="retry",
    label="Retry",
    participle="queued again",
    refusal="neither failed nor cancelled",
    statuses=RETRYABLE,
    run=lifecycle.retry_many,
)
CANCEL = Action(
    name="cancel",
    label="Cancel",
    participle="cancelled",
    refusal="already ended",
    statuses=CANCELLABLE,
    run=lifecycle.cancel_many,
)
DELETE = Action(
    name="delete",
    label="Delete",
    participle="deleted",
    refusal="still running",
    statuses=DELETABLE,
    run=lifecycle.delete_many,
    flag=DELETION,
)
# Tasks that one transaction changes.
CHUNK = 1_000
ACTIONS = {action.name: action for action in (RETRY, CANCEL, DELETE)}


@dataclass(frozen=True, kw_only=True)
class Report:
    """The result of an action: how many tasks were selected, accepted, and are still stopping."""

    action: Action
    selected: int
    accepted: int
    stopping: int = 0

    def __str__(self) -> str:
        if self.selected == self.accepted == 1:
            if self.stopping:
                return "Cancellation requested: the task is stopping."
            return f"The task was {self.action.participle}."
        changed = self.accepted - self.stopping
        share = f"{changed}" if changed == self.selected else f"{changed} of {self.selected}"
        parts = [f"{share} tasks {self.action.participle}"]
        if self.stopping:
            parts.append(f"{self.stopping} stopping")
        if refused := self.selected - self.accepted:
            parts.append(f"{refused} {self.action.refusal}")
        return ", ".join(parts) + "."


def apply_to_all(
    action: Action, tasks: QuerySet[Task], *, user: AbstractBaseUser | AnonymousUser
) -> Report:
    """Run an action on the tasks that match now, in transactions of CHUNK tasks."""
    ids = list(tasks.values_list("pk", flat=True))
    reports = [
        apply(action, ids[start : start + CHUNK], user=user) for start in range(0, len(ids), CHUNK)
    ]
    return Report(
        action=action,
        selected=len(ids),
        accepted=sum(report.accepted for report in reports),
        stopping=sum(report.stopping for report in reports),
    )


def apply(
    action: Action, ids: Sequence[uuid.UUID], *, user: AbstractBaseUser | AnonymousUser
) -> Report:
    """Run an action where the status allows it; write audit entries in the same transaction.

    Lock the rows first, in the order in which the verbs lock them, so that the audit log names
    exactly the tasks that changed.
    """
    with transaction.atomic():
        allowed = list(
            Task.objects.filter(pk__in=ids, status__in=action.statuses)
            .order_by("pk")
            .only("pk", "kind", "status")
            .select_for_update()
        )
        action.run([task.pk for task in allowed])
        record(user, allowed, f"{action.label} requested in the console.", flag=action.flag)
    running = sum(task.status == Status.PROCESSING for task in allowed)
    return Report(action=action, selected=len(ids), accepted=len(allowed), stopping=running)
