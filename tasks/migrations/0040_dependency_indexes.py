from __future__ import annotations

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Members that have not ended, and follow-ups, can be found; nothing waits meanwhile."""

    # An index is built beside running statements only outside a transaction.
    atomic = False

    dependencies = [("tasks", "0039_dependencies")]

    operations = [
        AddIndexConcurrently(
            "task",
            models.Index(
                condition=models.Q(("finished_at", None), ("is_awaited", True)),
                fields=["batch"],
                name="task_batch_unended",
            ),
        ),
        AddIndexConcurrently(
            "task",
            models.Index(
                condition=models.Q(("parent_id__isnull", False)),
                fields=["parent_id"],
                name="task_parent",
            ),
        ),
    ]
