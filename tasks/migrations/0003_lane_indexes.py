from __future__ import annotations

from django.db import migrations


class Migration(migrations.Migration):
    """The claim's own indexes on procrastinate's jobs: one for each lane, and one for the clock.

    A lane may stand behind a million jobs of the other, or of jobs scheduled for later.
    """

    dependencies = [
        ("tasks", "0002_console_groups"),
        ("procrastinate", "0041_post_retry_failed_job"),
    ]

    operations = [
        migrations.RunSQL(
            "CREATE INDEX tasks_primary_lane ON procrastinate_jobs (priority DESC, id)"
            " WHERE status = 'todo' AND attempts = 0 AND scheduled_at IS NULL",
            "DROP INDEX tasks_primary_lane",
        ),
        migrations.RunSQL(
            "CREATE INDEX tasks_retry_lane ON procrastinate_jobs (priority DESC, id)"
            " WHERE status = 'todo' AND attempts > 0 AND scheduled_at IS NULL",
            "DROP INDEX tasks_retry_lane",
        ),
        migrations.RunSQL(
            "CREATE INDEX tasks_scheduled ON procrastinate_jobs (scheduled_at)"
            " WHERE status = 'todo' AND scheduled_at IS NOT NULL",
            "DROP INDEX tasks_scheduled",
        ),
    ]
