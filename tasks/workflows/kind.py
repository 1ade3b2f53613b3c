"""The engine's own kind `workflow.gather`: the results of a node that is repeated for each item."""

from __future__ import annotations

from typing import Any

from tasks.kinds import Context, FatalError, kind
from tasks.lifecycle.expansion import GATHER
from tasks.models import Task

INPUT = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {"items": {"type": "integer", "minimum": 0}},
    "required": ["items"],
    "additionalProperties": False,
}


@kind(GATHER, input=INPUT)
def gather(input: dict[str, Any], context: Context) -> dict[str, Any]:
    """Return the results of the tasks of all items, in the order of the list."""
    of_items = Task.objects.filter(parent_id=context.task_id).order_by("id")
    results = list(of_items.values_list("result", flat=True))
    if len(results) != input["items"]:
        raise FatalError(f"Of {input['items']} tasks {len(results)} are left: others were deleted.")
    return {"results": results}
