"""Inputs of tasks that waited for others: with the results that they name."""

from __future__ import annotations

from typing import Any

from tasks import kinds
from tasks.errors import FieldError, InvalidInput
from tasks.lifecycle.expansion import GATHER
from tasks.models import Batch, Dependency, Status, Task
from tasks.references import (
    BATCH,
    ITEM,
    Reference,
    part_of,
    references_in,
    replaced,
)
from tasks.submission import INPUT_LIMIT, document


def resolved_input(task: Task) -> dict[str, Any] | None:
    """Return the input of a task with what its references stand for, None if it has none.

    Raises InvalidInput where a result has no such part, or the input is not valid for its kind.
    """
    references = [each for each in references_in(task.input) if each.word != ITEM]
    if not references:
        return None
    results = _results(task, {each.name for each in references if each.word != BATCH})
    batch = _followed_batch(task) if any(each.word == BATCH for each in references) else None

    def look_up(reference: Reference) -> Any:
        if reference.word == ITEM:
            # For `expansion.py`.
            return reference.document()
        if reference.word == BATCH:
            return _fact(batch, reference.name)
        if reference.name not in results:
            mistake = f"There is no {reference.name} any more: it was deleted."
            raise InvalidInput([FieldError(reference.place, mistake)])
        return part_of(results[reference.name], reference)

    value: dict[str, Any] = replaced(task.input, look_up)
    document(value, field="input", limit=INPUT_LIMIT)
    # A kind that only other processes know is left to those.
    if task.kind != GATHER and (kind := kinds.all_kinds().get(task.kind)):
        kind.validate(value)
    return value


def _results(task: Task, names: set[str]) -> dict[str | None, Any]:
    named = Task.objects.filter(batch=task.batch_id, node__in=names)
    return dict(named.values_list("node", "result"))


def _followed_batch(task: Task) -> Batch | None:
    on_ids = Dependency.objects.filter(task_id=task.pk).values("on_id")
    return Batch.objects.filter(pk__in=on_ids).first()


def _fact(batch: Batch | None, name: str) -> Any:
    """Return a fact about the batch that has ended; null if that was deleted."""
    if batch is None:
        return None
    members = Task.objects.filter(batch=batch, is_awaited=True)
    match name:
        case "id":
            return str(batch.pk)
        case "total":
            return members.count()
        case "results":
            return list(members.order_by("id").values_list("result", flat=True))
        case _:
            return members.filter(status=Status(name.upper())).count()
