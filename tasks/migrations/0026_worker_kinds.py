from __future__ import annotations

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    """Which kinds workers know, and what ended ones served; workers of the version before go on."""

    dependencies = [("tasks", "0025_worker_claims")]

    operations = [
        migrations.AddField(
            "worker",
            "kinds",
            django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=100), null=True, size=None
            ),
        ),
        migrations.CreateModel(
            name="EndedWorker",
            fields=[
                ("id", models.BigIntegerField(primary_key=True, serialize=False)),
                (
                    "queues",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=128), size=None
                    ),
                ),
                (
                    "kinds",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=100), null=True, size=None
                    ),
                ),
                ("heartbeat_at", models.DateTimeField()),
            ],
            options={"ordering": ("id",)},
        ),
    ]
