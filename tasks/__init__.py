"""The engine: tasks, their lifecycle, and the workers that run them.

For other Django code: `tasks.submit("kind", {…})` returns the task, queued if and only if the
surrounding transaction commits. `chain`, `chord`, `group` and `workflow` describe several tasks,
each by `step("kind", {…})`, and submit them together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from tasks.models import Task
    from tasks.submission import Options
    from tasks.workflows import chain, chord, group, step, workflow

__all__ = ["chain", "chord", "group", "step", "submit", "workflow"]


def submit(
    kind: str,
    input: dict[str, Any] | None = None,
    *,
    owner: User | None = None,
    **options: Unpack[Options],
) -> Task:
    """Submit a task of a kind: see `tasks.lifecycle.submit`."""
    # Imported late: Django imports this package before models can be imported.
    from tasks.lifecycle import submit as submit_task

    return submit_task(kind, input, owner=owner, **options)


def __getattr__(name: str) -> Any:
    # Imported late, for the same reason.
    if name in __all__:
        from tasks import workflows

        return getattr(workflows, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
