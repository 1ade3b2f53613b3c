from __future__ import annotations

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """The tasks that a request has caused can be found; nothing waits meanwhile."""

    # An index is built beside running statements only outside a transaction.
    atomic = False

    dependencies = [("tasks", "0021_causes")]

    operations = [
        AddIndexConcurrently(
            "task",
            models.Index(
                fields=["request_id"],
                name="task_request",
                condition=models.Q(("request_id", ""), _negated=True),
            ),
        ),
    ]
