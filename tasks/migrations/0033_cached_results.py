from __future__ import annotations

from django.db import migrations, models

# Under what a task needs permits: first the key of its result, so that the same input is not worked on
# twice at once, by which the lines of an input are found; then its limits. Null for nothing.
PERMIT_KEYS = """
CREATE FUNCTION tasks_permit_keys(
    kind text, queue text, owner bigint, input jsonb, cache_key text
) RETURNS text[] LANGUAGE sql STABLE AS $$
    SELECT nullif(
        array_remove(
            cache_key || CASE
                WHEN EXISTS (SELECT FROM tasks_limit)
                    THEN tasks_limit_keys(kind, queue, owner, input)
            END,
            NULL
        ),
        '{}'
    )
$$
"""

# The newest result under a key: `cache <seconds> <digest>`. Of a task that ran, so that no result
# lives longer for being used.
CACHED_RESULT = """
CREATE FUNCTION tasks_cached_result(key text) RETURNS uuid
LANGUAGE sql STABLE SET enable_seqscan = off SET enable_bitmapscan = off AS $$
    SELECT id FROM tasks_task
    WHERE cache_key = key AND cached_from IS NULL
        AND finished_at > statement_timestamp() - split_part(key, ' ', 2)::float8 * interval '1 second'
        AND status IS NOT DISTINCT FROM 'COMPLETED'
    ORDER BY finished_at DESC
    LIMIT 1
$$
"""

_GENERAL = """
    SELECT
        general.id, coalesce(own.concurrent, general.concurrent),
        coalesce(own.rate, general.rate), coalesce(own.period, general.period),
        coalesce(own.burst, general.burst),
        coalesce(own.period, general.period) / (
            coalesce(own.rate, general.rate) - coalesce(own.burst, general.burst) + 1
        )::double precision,
        general.paused OR coalesce(own.paused, false),
        CASE
            WHEN general.applies_at IS NOT NULL
                THEN greatest(general.applies_at, general.changed_at, own.changed_at)
        END
    FROM tasks_limit AS general
    LEFT JOIN tasks_limit AS own
        ON own.parent_id = general.id AND own.value = substr(key, strpos(key, ':') + 1)
    WHERE general.id = %s
"""
_IN_FORCE = """
CREATE OR REPLACE FUNCTION tasks_limit_in_force(
    key text,
    OUT id uuid, OUT concurrent integer, OUT rate integer, OUT period integer, OUT burst integer,
    OUT spacing double precision, OUT paused boolean, OUT since timestamptz
) LANGUAGE sql STABLE AS $$
%s
$$
"""
BEFORE = _IN_FORCE % (_GENERAL % "split_part(key, ':', 1)::uuid")
# One task at a time works on an input; as soon as there is a result, all others may have it.
WITH_RESULTS = _IN_FORCE % (
    _GENERAL % "CASE WHEN key NOT LIKE 'cache %' THEN split_part(key, ':', 1)::uuid END"
    + """
    UNION ALL
    SELECT
        '00000000-0000-0000-0000-000000000000'::uuid,
        CASE WHEN tasks_cached_result(key) IS NULL THEN 1 END,
        NULL::integer, NULL::integer, NULL::integer, NULL::double precision, false,
        '-infinity'::timestamptz
    WHERE key LIKE 'cache %'
"""
)
# The version before does not know these permits.
FORGET = """
UPDATE tasks_task SET limit_keys = nullif(array_remove(limit_keys, cache_key), '{}')
WHERE cache_key IS NOT NULL AND finished_at IS NULL;
DELETE FROM tasks_permit WHERE key LIKE 'cache %';
UPDATE procrastinate_jobs AS job
SET scheduled_at = CASE WHEN tasks_line > 0 THEN now() ELSE job.scheduled_at END,
    tasks_line = CASE WHEN task.limit_keys IS NOT NULL THEN 0 END
FROM tasks_task AS task
WHERE job.id = task.job_id AND task.cache_key IS NOT NULL AND job.tasks_line IS NOT NULL;
DELETE FROM tasks_line WHERE array_to_string(keys, ' ') LIKE '%cache %'
"""


class Migration(migrations.Migration):
    """Results can be used again; tasks of before are not looked at.

    Workers of the version before work on an input that another works on.
    """

    dependencies = [("tasks", "0032_unique_index")]

    operations = [
        migrations.AddField("task", "cache_key", models.TextField(blank=True, null=True)),
        migrations.AddField("task", "cached_from", models.UUIDField(blank=True, null=True)),
        migrations.RunSQL(PERMIT_KEYS, "DROP FUNCTION tasks_permit_keys"),
        migrations.RunSQL(CACHED_RESULT, "DROP FUNCTION tasks_cached_result"),
        migrations.RunSQL(WITH_RESULTS, BEFORE),
        migrations.RunSQL(migrations.RunSQL.noop, FORGET),
    ]
