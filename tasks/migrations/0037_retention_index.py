from __future__ import annotations

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Tasks that are kept for a period of their kind can be found; nothing waits meanwhile."""

    # An index is built beside running statements only outside a transaction.
    atomic = False

    dependencies = [("tasks", "0036_retention_of_kinds")]

    operations = [
        AddIndexConcurrently(
            "task",
            models.Index(
                condition=models.Q(("keep_days__isnull", False)),
                fields=["keep_days", "finished_at"],
                name="task_kept",
            ),
        ),
    ]
