from __future__ import annotations

from django.db import migrations


class Migration(migrations.Migration):
    """The claim's look into the retry lane, which may stand behind a million primary jobs."""

    dependencies = [
        ("tasks", "0002_console_groups"),
        ("procrastinate", "0041_post_retry_failed_job"),
    ]

    operations = [
        migrations.RunSQL(
            "CREATE INDEX tasks_retry_lane ON procrastinate_jobs (priority DESC, id)"
            " WHERE status = 'todo' AND attempts > 0",
            "DROP INDEX tasks_retry_lane",
        ),
    ]
