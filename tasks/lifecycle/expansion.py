"""Expansion: a node of a workflow that is repeated for each item of a list.

The node itself is a task of the kind GATHER. When the list is known, a task is submitted for each
item, and the node waits for them; then its handler returns their results.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tasks.errors import FieldError, InvalidInput
from tasks.lifecycle.enqueue import insert
from tasks.lifecycle.preparation import prepare
from tasks.models import Dependency, Task
from tasks.references import ITEM, Reference, part_of, replaced
from tasks.submission import Owned, Submission

GATHER = "workflow.gather"
ITEMS_LIMIT = 10_000


def expand(task: Task, document: dict[str, Any] | None) -> bool:
    """Submit a task for each item of the node's list; return whether it waits for any.

    `document` is the node's input with the list, None if it was expanded before. Raises
    InvalidInput for a list or an item that is not valid.
    """
    if document is None:
        return False
    items = document.get("map")
    if not isinstance(items, list) or len(items) > ITEMS_LIMIT:
        mistake = f"This must be a list of at most {ITEMS_LIMIT:,} items."
        raise InvalidInput([FieldError("map", mistake)])
    new = [_of_item(task, document, number, item) for number, item in enumerate(items)]
    Task.objects.filter(pk=task.pk).update(input={"items": len(items)})
    insert([Owned(each, task.owner_id) for each in new], batch_id=task.batch_id)
    needs_success = bool(document.get("needs_success", True))
    assert task.batch_id
    Dependency.objects.bulk_create(
        Dependency(
            batch_id=task.batch_id, task_id=task.pk, on_id=each.id, needs_success=needs_success
        )
        for each in new
    )
    document.clear()
    document["items"] = len(items)
    return bool(items)


def _of_item(task: Task, document: dict[str, Any], number: int, item: Any) -> Submission:
    def look_up(reference: Reference) -> Any:
        if reference.word != ITEM:
            raise InvalidInput([FieldError(reference.place, "Here only $item can be named.")])
        return part_of(item, reference)

    try:
        input = replaced(document["input"], look_up)
        new = prepare(document["kind"], input, **document.get("options", {}))
    except InvalidInput as error:
        raise error.moved("", f"item {number}: ") from None
    return replace(
        new, node=f"{task.node}.{number}", parent_id=task.pk, is_awaited=True, unique=None
    )
