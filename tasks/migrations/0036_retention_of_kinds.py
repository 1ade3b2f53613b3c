from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    """A task may be kept for a period of its kind.

    Processes of the version before prune such tasks as the settings say.
    """

    dependencies = [("tasks", "0035_schedule_runs")]

    operations = [
        migrations.AddField("task", "keep_days", models.IntegerField(blank=True, null=True)),
    ]
