from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    """The circuit breakers, and the table of Django's database cache."""

    dependencies = [("tasks", "0003_lane_indexes")]

    operations = [
        migrations.CreateModel(
            name="Breaker",
            fields=[
                ("name", models.CharField(max_length=100, primary_key=True, serialize=False)),
                ("failures", models.IntegerField(default=0)),
                ("fence", models.IntegerField(default=0)),
                ("open_until", models.DateTimeField(null=True)),
                ("probe_until", models.DateTimeField(null=True)),
                ("last_error", models.CharField(blank=True, max_length=200)),
                ("last_failure_at", models.DateTimeField(null=True)),
            ],
            options={"ordering": ("name",)},
        ),
        # As `createcachetable` makes it: the index is read when what has expired is deleted.
        migrations.RunSQL(
            "CREATE TABLE tasks_cache (cache_key varchar(255) PRIMARY KEY, value text NOT NULL,"
            " expires timestamptz NOT NULL);"
            " CREATE INDEX tasks_cache_expires ON tasks_cache (expires)",
            "DROP TABLE tasks_cache",
        ),
    ]
