from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    """How much memory each worker process occupies."""

    dependencies = [("tasks", "0010_job_triggers")]

    operations = [
        migrations.AddField(
            model_name="worker",
            name="memory_kib",
            field=models.BigIntegerField(db_default=0, default=0),
        ),
    ]
