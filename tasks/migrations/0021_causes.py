from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    """The request that caused a task; the version before keeps inserting without it."""

    dependencies = [("tasks", "0020_owned_tasks")]

    operations = [
        migrations.AddField(
            "task",
            "request_id",
            models.CharField(blank=True, db_default="", default="", max_length=128),
        ),
        migrations.AddField(
            "task",
            "traceparent",
            models.CharField(blank=True, db_default="", default="", max_length=55),
        ),
    ]
