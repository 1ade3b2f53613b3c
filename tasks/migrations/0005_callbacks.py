from __future__ import annotations

from django.db import migrations, models

# A version 7 UUID (RFC 9562), as `uuid-utils` makes them: the milliseconds, then chance. Tasks that a
# statement makes by itself have their place among those of the same time. PostgreSQL has one from 18.
MAKE_UUID7 = """
CREATE FUNCTION tasks_uuid7() RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE AS $$
    SELECT encode(
        set_bit(set_bit(overlay(
            uuid_send(gen_random_uuid())
            PLACING substring(
                int8send(floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3
            )
            FROM 1 FOR 6
        ), 52, 1), 53, 1),
        'hex'
    )::uuid
$$
"""


class Migration(migrations.Migration):
    """Whom to tell that a task has ended.

    The default stays in the database: a process of the version before goes on submitting.
    """

    dependencies = [("tasks", "0004_breaker")]

    operations = [
        migrations.AddField(
            model_name="task",
            name="callback_url",
            field=models.CharField(blank=True, db_default="", default="", max_length=2048),
        ),
        migrations.RunSQL(MAKE_UUID7, "DROP FUNCTION tasks_uuid7()"),
    ]
