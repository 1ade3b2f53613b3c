from __future__ import annotations

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """One task for each key, and the tasks that expire; nothing waits while these are built."""

    # An index is built beside running statements only outside a transaction.
    atomic = False

    dependencies = [("tasks", "0031_unique")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    "CREATE UNIQUE INDEX CONCURRENTLY task_unique ON tasks_task (unique_key)"
                    " WHERE unique_key IS NOT NULL",
                    "DROP INDEX CONCURRENTLY task_unique",
                )
            ],
            state_operations=[
                migrations.AddConstraint(
                    "task",
                    models.UniqueConstraint(
                        condition=models.Q(("unique_key__isnull", False)),
                        fields=("unique_key",),
                        name="task_unique",
                    ),
                )
            ],
        ),
        AddIndexConcurrently(
            "task",
            models.Index(
                condition=models.Q(
                    ("claim_number", 0), ("expires_at__isnull", False), ("finished_at", None)
                ),
                fields=["expires_at"],
                name="task_expiring",
            ),
        ),
    ]
