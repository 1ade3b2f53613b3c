from __future__ import annotations

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Tasks without an owner leave the index of an owner's tasks; nothing waits meanwhile."""

    # An index is built beside running statements only outside a transaction.
    atomic = False

    dependencies = [("tasks", "0019_claims_delete_jobs")]

    operations = [
        AddIndexConcurrently(
            "task",
            models.Index(
                fields=["owner", "-id"],
                name="task_owned_newest",
                condition=models.Q(owner__isnull=False),
            ),
        ),
        RemoveIndexConcurrently("task", "task_owner_newest"),
    ]
