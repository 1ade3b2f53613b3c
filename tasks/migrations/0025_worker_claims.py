from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    """What each worker process has claimed and keeps; the version before leaves it at 0."""

    dependencies = [("tasks", "0024_alerts")]

    operations = [
        migrations.AddField(
            model_name="worker",
            name="buffered",
            field=models.IntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="worker",
            name="claims",
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="worker",
            name="claim_seconds",
            field=models.FloatField(db_default=0, default=0),
        ),
    ]
