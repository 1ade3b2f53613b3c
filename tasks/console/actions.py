"""What an operator can do to tasks: the verbs of the engine, with their words and audit."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.contrib.admin.models import CHANGE, DELETION
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import transaction

from tasks import lifecycle
from tasks.console.audit import record
from tasks.models import Status, Task
from tasks.models.task import RETRYABLE


@dataclass(frozen=True, kw_only=True)
class Verb:
    """A verb: the statuses it applies to, and how the console speaks of it."""

    name: str
    label: str
    done: str
    refused: str
    statuses: tuple[Status, ...]
    run: Callable[[Sequence[uuid.UUID]], int]
    flag: int = CHANGE

    def applies_to(self, task: Task) -> bool:
        """Say whether a task's status allows the verb."""
        return task.status in self.statuses


RETRY = Verb(
    name="retry",
    label="Retry",
    done="queued again",
    refused="had neither failed nor been cancelled",
    statuses=RETRYABLE,
    run=lifecycle.retry_many,
)
CANCEL = Verb(
    name="cancel",
    label="Cancel",
    done="cancelled",
    refused="had ended",
    statuses=(Status.PENDING, Status.PROCESSING),
    run=lifecycle.cancel_many,
)
DELETE = Verb(
    name="delete",
    label="Delete",
    done="deleted",
    refused="being processed",
    statuses=(Status.PENDING, Status.COMPLETED, Status.FAILED, Status.CANCELLED),
    run=lifecycle.delete_many,
    flag=DELETION,
)
VERBS = {verb.name: verb for verb in (RETRY, CANCEL, DELETE)}


@dataclass(frozen=True, kw_only=True)
class Report:
    """What became of a selection: how many were asked for, done, and are still stopping."""

    verb: Verb
    asked: int
    done: int
    stopping: int = 0

    def __str__(self) -> str:
        if self.asked == self.done == 1:
            return (
                "The task is asked to stop." if self.stopping else f"The task is {self.verb.done}."
            )
        at_once = self.done - self.stopping
        counted = f"{at_once} {self.verb.done}"
        if self.asked != at_once:
            counted = f"{at_once} of {self.asked} {self.verb.done}"
        parts = [counted]
        if self.stopping:
            parts.append(f"{self.stopping} asked to stop")
        if refused := self.asked - self.done:
            parts.append(f"{refused} {self.verb.refused}")
        return ", ".join(parts) + "."


def apply(
    verb: Verb, ids: Sequence[uuid.UUID], *, user: AbstractBaseUser | AnonymousUser
) -> Report:
    """Do it to those whose status allows it, and record each of them in the same transaction.

    The rows are locked first, in the order in which the verbs lock them, so that the audit log
    names exactly those that moved.
    """
    with transaction.atomic():
        allowed = list(
            Task.objects.filter(pk__in=ids, status__in=verb.statuses)
            .order_by("pk")
            .only("pk", "kind", "status")
            .select_for_update()
        )
        verb.run([task.pk for task in allowed])
        record(user, allowed, f"{verb.label} in the console.", flag=verb.flag)
    running = sum(task.status == Status.PROCESSING for task in allowed)
    return Report(verb=verb, asked=len(ids), done=len(allowed), stopping=running)
