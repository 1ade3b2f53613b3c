from __future__ import annotations

import django.contrib.postgres.fields
import django.db.models.deletion
import uuid_utils.compat
from django.db import migrations, models


class Migration(migrations.Migration):
    """Limits, their permits, and lines of blocked tasks; no statement reads them yet."""

    dependencies = [
        ("tasks", "0027_turns_by_index"),
    ]

    operations = [
        migrations.AddField(
            "queue", "paused_at", models.DateTimeField(blank=True, null=True)
        ),
        migrations.AddField(
            "queue",
            "paused_by",
            models.CharField(blank=True, db_default="", default="", max_length=150),
        ),
        migrations.AddField(
            "queue",
            "paused_reason",
            models.CharField(blank=True, db_default="", default="", max_length=200),
        ),
        migrations.CreateModel(
            name="RateState",
            fields=[
                ("key", models.TextField(primary_key=True, serialize=False)),
                ("next_at", models.DateTimeField()),
                ("rate", models.IntegerField()),
                ("period", models.IntegerField()),
                ("burst", models.IntegerField()),
            ],
            options={
                "ordering": ("key",),
            },
        ),
        migrations.AddField(
            model_name="task",
            name="limit_keys",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.TextField(), blank=True, null=True, size=None
            ),
        ),
        migrations.CreateModel(
            name="Line",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "keys",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.TextField(), size=None
                    ),
                ),
                ("queue", models.CharField(max_length=128)),
                ("priority", models.IntegerField()),
                ("owner_id", models.BigIntegerField()),
                ("blocked_at", models.TextField()),
                ("served", models.BigIntegerField()),
                ("look_at", models.DateTimeField(null=True)),
            ],
            options={
                "ordering": ("id",),
                "indexes": [
                    models.Index(fields=["blocked_at", "-priority", "served"], name="line_next"),
                    models.Index(
                        condition=models.Q(("look_at__isnull", False)),
                        fields=["look_at"],
                        name="line_look",
                    ),
                    models.Index(models.F("keys__0"), name="line_of_result"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("keys", "queue", "priority", "owner_id"), name="line_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Permit",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("key", models.TextField()),
                ("task_id", models.UUIDField(null=True)),
                ("is_rated", models.BooleanField()),
                ("is_ordered", models.BooleanField(db_default=False, default=False)),
                ("created_at", models.DateTimeField()),
                ("started_at", models.DateTimeField(null=True)),
                ("released_at", models.DateTimeField(null=True)),
            ],
            options={
                "ordering": ("id",),
                "indexes": [
                    models.Index(fields=["task_id"], name="permit_task"),
                    models.Index(
                        condition=models.Q(("released_at", None)),
                        fields=["key"],
                        name="permit_held",
                    ),
                    models.Index(
                        condition=models.Q(("is_rated", True)), fields=["key"], name="permit_rated"
                    ),
                    models.Index(
                        condition=models.Q(("released_at__isnull", False)),
                        fields=["id"],
                        name="permit_released",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Limit",
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
                (
                    "scope",
                    models.CharField(
                        choices=[
                            ("queue", "Queue"),
                            ("kind", "Kind"),
                            ("owner", "Owner"),
                            ("key", "Key"),
                        ],
                        max_length=5,
                    ),
                ),
                ("name", models.CharField(blank=True, default="", max_length=128)),
                ("path", models.CharField(blank=True, default="", max_length=200)),
                ("value", models.CharField(blank=True, default="", max_length=200)),
                ("concurrent", models.IntegerField(blank=True, null=True)),
                ("rate", models.IntegerField(blank=True, null=True)),
                ("period", models.IntegerField(blank=True, null=True)),
                ("burst", models.IntegerField(blank=True, null=True)),
                ("ordered", models.BooleanField(default=False)),
                ("paused", models.BooleanField(default=False)),
                ("paused_reason", models.CharField(blank=True, default="", max_length=200)),
                ("paused_by", models.CharField(blank=True, default="", max_length=150)),
                ("paused_at", models.DateTimeField(blank=True, null=True)),
                ("declared", models.JSONField(blank=True, null=True)),
                ("applies_at", models.DateTimeField(blank=True, null=True)),
                ("changed_at", models.DateTimeField()),
                (
                    "parent",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="exceptions",
                        to="tasks.limit",
                    ),
                ),
            ],
            options={
                "ordering": ("scope", "name", "path", "value"),
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("parent", None)),
                        fields=("scope", "name", "path"),
                        name="limit_once",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("parent__isnull", False)),
                        fields=("parent", "value"),
                        name="limit_exception_once",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("ordered", True)),
                        fields=("name",),
                        name="limit_ordered_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("ordered", False),
                            models.Q(
                                ("concurrent", 1),
                                ("parent", None),
                                ("rate", None),
                                ("scope__in", ["kind", "key"]),
                            ),
                            _connector="OR",
                        ),
                        name="limit_ordered_is_single",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("scope__in", ["queue", "kind", "owner", "key"])),
                        name="limit_scope_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("concurrent", None), ("concurrent__gte", 1), _connector="OR"),
                            models.Q(
                                models.Q(("burst", None), ("period", None), ("rate", None)),
                                models.Q(
                                    ("burst__gte", 1),
                                    ("burst__lte", models.F("rate")),
                                    ("period__gte", 1),
                                    ("rate__gte", 1),
                                ),
                                _connector="OR",
                            ),
                        ),
                        name="limit_numbers",
                    ),
                ],
            },
        ),
    ]
