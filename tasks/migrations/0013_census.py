from __future__ import annotations

from django.db import migrations, models

RETRYABLE = ("FAILED", "CANCELLED")


class Migration(migrations.Migration):
    """Counts that are kept for a moment, and lists that need not read past a million others.

    Making the indexes holds up submitting for about a second a million tasks.
    """

    dependencies = [
        ("tasks", "0012_receivers"),
    ]

    operations = [
        migrations.CreateModel(
            name="Census",
            fields=[
                ("name", models.CharField(max_length=32, primary_key=True, serialize=False)),
                ("found", models.JSONField()),
                ("counted_at", models.DateTimeField()),
                ("seconds", models.FloatField()),
            ],
            options={"verbose_name_plural": "censuses"},
        ),
        migrations.AddIndex(
            model_name="task",
            index=models.Index(
                condition=models.Q(("status", "COMPLETED")),
                fields=["id"],
                name="task_completed_newest",
            ),
        ),
        migrations.AddIndex(
            model_name="task",
            index=models.Index(
                condition=models.Q(("status__in", RETRYABLE)),
                fields=["status", "id"],
                name="task_undone_newest",
            ),
        ),
        migrations.AddIndex(
            model_name="task",
            index=models.Index(
                condition=models.Q(("attempt__gt", 0), ("status", "PENDING")),
                fields=["id"],
                name="task_retried_newest",
            ),
        ),
        migrations.AddIndex(
            model_name="task",
            index=models.Index(
                condition=models.Q(("scheduled_at__isnull", False), ("status", "PENDING")),
                fields=["id"],
                name="task_scheduled_newest",
            ),
        ),
    ]
