from __future__ import annotations

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Results are looked up by the keys of their tasks; nothing waits while this is built."""

    # An index is built beside running statements only outside a transaction.
    atomic = False

    dependencies = [("tasks", "0033_cached_results")]

    operations = [
        AddIndexConcurrently(
            "task",
            models.Index(
                condition=models.Q(("cache_key__isnull", False), ("cached_from", None)),
                fields=["cache_key", "finished_at"],
                name="task_cached",
            ),
        ),
    ]
