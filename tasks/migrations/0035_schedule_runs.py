from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models

OVERLAP = [("allow", "Run beside it"), ("skip", "Leave the run out"), ("queue", "Wait for its end")]
CATCH_UP = [
    ("once", "One run for all"),
    ("none", "Leave them out"),
    ("all", "One run for each, of the last day"),
]


class Migration(migrations.Migration):
    """Schedules say what a tick does beside an earlier task, and keep their runs.

    Schedulers of the version before run every tick, and keep none.
    """

    dependencies = [("tasks", "0034_cached_results_index")]

    operations = [
        migrations.AddField(
            "schedule",
            "overlap",
            models.CharField(choices=OVERLAP, db_default="allow", default="allow", max_length=5),
        ),
        migrations.AddField(
            "schedule",
            "catch_up",
            models.CharField(choices=CATCH_UP, db_default="once", default="once", max_length=4),
        ),
        migrations.AddField("schedule", "jitter", models.IntegerField(db_default=0, default=0)),
        migrations.CreateModel(
            name="ScheduleRun",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("tick", models.DateTimeField(blank=True, null=True)),
                ("at", models.DateTimeField()),
                ("task_id", models.UUIDField(blank=True, null=True)),
                ("note", models.CharField(blank=True, default="", max_length=500)),
                (
                    "schedule",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="runs",
                        to="tasks.schedule",
                    ),
                ),
            ],
            options={
                "ordering": ("-id",),
                "indexes": [models.Index(fields=["schedule", "-id"], name="schedule_run_newest")],
            },
        ),
    ]
