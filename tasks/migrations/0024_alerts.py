from __future__ import annotations

import django.contrib.postgres.fields
import django.db.models.deletion
import django.utils.timezone
import uuid_utils.compat
from django.conf import settings
from django.db import migrations, models


# name, condition, threshold, window_seconds, for_seconds
DEFAULTS = [
    ("Failed tasks", "task_failed", 10, 900, 0),
    ("Failure rate", "failure_rate", 50, 900, 60),
    ("Tasks wait too long", "oldest_due_age", 900, 900, 60),
    ("Backlog", "backlog", 10_000, 900, 300),
    ("No live worker", "no_worker", None, 900, 60),
    ("Circuit open", "circuit_open", None, 900, 300),
    ("Schedule late", "schedule_late", 300, 900, 0),
    ("Callback receiver does not answer", "callback_receiver", 3, 900, 0),
    ("Snapshot held for long", "database_xmin", 10_000_000, 900, 300),
    ("Connections to the database", "database_connections", 85, 900, 60),
]
# The disk of another machine cannot be read.
OF_EMBEDDED = [("Disk of the database", "database_disk", 90, 900, 60)]


def make_rules(apps, schema_editor):
    """Create the rules of a new installation, which notify no address yet.

    They are created once: later changes and deletions by operators stay.
    """
    rules = apps.get_model("tasks", "AlertRule").objects.using(schema_editor.connection.alias)
    for name, condition, threshold, window, seconds in [
        *DEFAULTS,
        *(OF_EMBEDDED if settings.EMBEDDED else []),
    ]:
        rules.create(
            name=name,
            condition=condition,
            threshold=threshold,
            window_seconds=window,
            for_seconds=seconds,
        )


class Migration(migrations.Migration):
    """Alerts and their rules; processes of the version before do not look at them."""

    dependencies = [
        ("tasks", "0023_metric_sums"),
    ]

    operations = [
        migrations.CreateModel(
            name="AlertRule",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid_utils.compat.uuid7,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("name", models.CharField(max_length=100, unique=True)),
                (
                    "condition",
                    models.CharField(
                        choices=[
                            ("task_failed", "Failed tasks"),
                            ("failure_rate", "Failure rate"),
                            ("oldest_due_age", "Age of the oldest due task"),
                            ("backlog", "Backlog of a queue"),
                            ("no_worker", "No live worker for a queue"),
                            ("circuit_open", "Circuit open"),
                            ("schedule_late", "Schedule late"),
                            ("callback_receiver", "Callback receiver does not answer"),
                            ("database_disk", "Disk of the embedded database"),
                            ("database_size", "Size of the database"),
                            ("database_xmin", "Oldest snapshot of the database"),
                            ("database_connections", "Connections to the database"),
                        ],
                        max_length=32,
                    ),
                ),
                ("queue", models.CharField(blank=True, default="", max_length=128)),
                ("kind", models.CharField(blank=True, default="", max_length=128)),
                ("error_type", models.CharField(blank=True, default="", max_length=200)),
                ("threshold", models.FloatField(blank=True, null=True)),
                ("window_seconds", models.IntegerField(default=900)),
                ("for_seconds", models.IntegerField(default=0)),
                (
                    "emails",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.EmailField(max_length=254),
                        blank=True,
                        default=list,
                        size=None,
                    ),
                ),
                ("webhook_url", models.CharField(blank=True, default="", max_length=2048)),
                ("enabled", models.BooleanField(default=True)),
                ("muted_until", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("updated_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("evaluated_at", models.DateTimeField(blank=True, null=True)),
                ("last_error", models.CharField(blank=True, default="", max_length=500)),
                ("samples", models.JSONField(blank=True, default=list)),
            ],
            options={
                "ordering": ("name",),
            },
        ),
        migrations.CreateModel(
            name="Alert",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid_utils.compat.uuid7,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("rule_name", models.CharField(max_length=100)),
                (
                    "condition",
                    models.CharField(
                        choices=[
                            ("task_failed", "Failed tasks"),
                            ("failure_rate", "Failure rate"),
                            ("oldest_due_age", "Age of the oldest due task"),
                            ("backlog", "Backlog of a queue"),
                            ("no_worker", "No live worker for a queue"),
                            ("circuit_open", "Circuit open"),
                            ("schedule_late", "Schedule late"),
                            ("callback_receiver", "Callback receiver does not answer"),
                            ("database_disk", "Disk of the embedded database"),
                            ("database_size", "Size of the database"),
                            ("database_xmin", "Oldest snapshot of the database"),
                            ("database_connections", "Connections to the database"),
                        ],
                        max_length=32,
                    ),
                ),
                ("subject", models.CharField(max_length=350)),
                ("true_since", models.DateTimeField()),
                ("opened_at", models.DateTimeField(blank=True, null=True)),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
                ("sentence", models.CharField(max_length=700)),
                ("value", models.FloatField()),
                ("threshold", models.FloatField(blank=True, null=True)),
                ("latest_value", models.FloatField()),
                ("notified_at", models.DateTimeField(blank=True, null=True)),
                (
                    "emails",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.EmailField(max_length=254),
                        blank=True,
                        default=list,
                        size=None,
                    ),
                ),
                ("webhook_url", models.CharField(blank=True, default="", max_length=2048)),
                ("acknowledged_by", models.CharField(blank=True, default="", max_length=150)),
                ("acknowledged_at", models.DateTimeField(blank=True, null=True)),
                (
                    "rule",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        to="tasks.alertrule",
                    ),
                ),
            ],
            options={
                "ordering": ("-id",),
                "indexes": [
                    models.Index(fields=["rule", "-id"], name="alert_rule_newest"),
                    models.Index(
                        condition=models.Q(("closed_at__isnull", False)),
                        fields=["closed_at"],
                        name="alert_closed",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("closed_at", None)),
                        fields=("rule", "subject"),
                        name="alert_once_per_incident",
                    )
                ],
            },
        ),
        migrations.RunPython(make_rules, migrations.RunPython.noop),
    ]
