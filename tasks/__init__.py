"""The engine: tasks, their life, and the workers that run them.

For other Django code: `tasks.submit("kind", {…})` returns the task, queued if and only if the
surrounding transaction commits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tasks.models import Task

__all__ = ["submit"]


def submit(kind: str, input: dict[str, Any] | None = None, **options: Any) -> Task:
    """Submit a task of a kind; `options` are those of `tasks.lifecycle.submit`."""
    # Imported late: Django imports this package before its models can be.
    from tasks.lifecycle import submit as submit_task

    return submit_task(kind, input, **options)
