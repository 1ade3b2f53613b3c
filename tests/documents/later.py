"""Tasks that wait for an hour: for examples of tasks whose work has not begun."""

from __future__ import annotations

import json
from typing import Any

from tests.documents.shapes import TASK_ID, AtLeast
from tests.documents.site import Site


def later(site: Site, kind: str, input: dict[str, Any]) -> str:
    """Submit a task that is due in an hour; return its id."""
    body = json.dumps({"kind": kind, "input": input, "delay": 3600})
    waiting = AtLeast({"task_id": TASK_ID, "status": "PENDING", "lane": "scheduled"})
    return str(site.play(f"POST /api/v1/tasks/\n{body}").shows(202, waiting)["task_id"])


def cancelled(site: Site, kind: str, input: dict[str, Any]) -> str:
    """Submit a task and cancel it before it has begun; return its id."""
    task_id = later(site, kind, input)
    ended = AtLeast({"task_id": task_id, "status": "CANCELLED"})
    site.play("POST /api/v1/tasks/{task_id}/cancel", task_id=task_id).shows(200, ended)
    return task_id


def not_found(path: str) -> AtLeast:
    """Return the expected 404 problem of an unknown task."""
    return AtLeast({"type": "/problems/not-found", "status": 404, "instance": path})
