from __future__ import annotations

from django.db import migrations, models

# By default a fifth of a table may be dead before anybody cleans up; rows of these live for seconds.
BUSY = (
    ("procrastinate_jobs", "autovacuum_vacuum_scale_factor", "0.02"),
    ("tasks_task", "autovacuum_vacuum_scale_factor", "0.02"),
    ("tasks_worker", "autovacuum_vacuum_threshold", "100"),
)


class Migration(migrations.Migration):
    """Clean up after the busy tables sooner, and a word for workers whose tasks were rescued."""

    dependencies = [
        ("tasks", "0007_schedules"),
        ("procrastinate", "0041_post_retry_failed_job"),
    ]

    operations = [
        *(
            migrations.RunSQL(
                f"ALTER TABLE {table} SET ({setting} = {value}, autovacuum_vacuum_cost_delay = 0)",
                f"ALTER TABLE {table} RESET ({setting}, autovacuum_vacuum_cost_delay)",
            )
            for table, setting, value in BUSY
        ),
        migrations.AlterField(
            model_name="worker",
            name="state",
            field=models.CharField(
                choices=[("running", "Running"), ("draining", "Draining"), ("lost", "Lost")],
                default="running",
                max_length=10,
            ),
        ),
    ]
