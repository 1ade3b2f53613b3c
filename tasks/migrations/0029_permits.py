from __future__ import annotations

from django.db import migrations

# 0: the job of a task under limits, outside any line; above 0: blocked, in that line.
LINE_OF_JOB = "ALTER TABLE procrastinate_jobs ADD COLUMN tasks_line bigint"
# The order of a line: tasks that have begun before come first, unless they were retried by hand,
# which gives them a turn.
LIMITED = """
CREATE INDEX tasks_limited
ON procrastinate_jobs (tasks_line, (attempts = 0 OR tasks_turn > 0), id)
WHERE tasks_line IS NOT NULL
"""

# The version before would never stage blocked jobs.
NO_LINES = """
UPDATE procrastinate_jobs SET scheduled_at = now() WHERE tasks_line > 0;
ALTER TABLE procrastinate_jobs DROP COLUMN tasks_line
"""

# The order in which lines take turns.
SERVED = "CREATE SEQUENCE tasks_line_served"

# The keys of the limits under which a task stands; null for none. Callbacks have limits of their
# own. A task without the value stands under the same limit as all others without it.
LIMIT_KEYS = """
CREATE FUNCTION tasks_limit_keys(kind text, queue text, owner bigint, input jsonb) RETURNS text[]
LANGUAGE sql STABLE AS $$
    SELECT array_agg(
        CASE scope
            WHEN 'owner' THEN id::text || ':' || owner
            WHEN 'key' THEN id::text || ':' || CASE
                WHEN octet_length(given) > 100 THEN 'md5 ' || md5(given) ELSE given
            END
            ELSE id::text
        END
        ORDER BY id
    )
    FROM tasks_limit
    CROSS JOIN LATERAL (
        SELECT coalesce(input #>> string_to_array(path, '.'), '') AS given
    ) AS value
    WHERE parent_id IS NULL
        AND kind <> 'callback.deliver'
        AND (
            scope = 'queue' AND name = queue
            OR scope IN ('kind', 'key') AND name = kind
            OR scope = 'owner' AND owner IS NOT NULL
        )
$$
"""

# The rule for a key, with the exception for its owner or value. `spacing`: the seconds between two
# starts, so that never more than `rate` begin in a period, `burst` of them together. `since` is null
# while the limit does not apply.
LIMIT_IN_FORCE = """
CREATE FUNCTION tasks_limit_in_force(
    key text,
    OUT id uuid, OUT concurrent integer, OUT rate integer, OUT period integer, OUT burst integer,
    OUT spacing double precision, OUT paused boolean, OUT since timestamptz
) LANGUAGE sql STABLE AS $$
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
    WHERE general.id = split_part(key, ':', 1)::uuid
$$
"""

# How many starts under a rate are still to be made up for by waiting: each for one spacing. After a
# change of the rate they are as many as before. And because it is not known when those before began,
# as many as the old rate allowed count as having begun within the new period.
OWED = """
CREATE FUNCTION tasks_owed(place text) RETURNS double precision
LANGUAGE sql STABLE SET enable_seqscan = off SET enable_bitmapscan = off AS $$
    SELECT coalesce(max(CASE
        WHEN (state.rate, state.period, state.burst) = (rule.rate, rule.period, rule.burst)
            THEN ahead / rule.spacing
        WHEN ahead > -state.period
            THEN greatest(
                ahead * (state.rate - state.burst + 1) / state.period,
                rule.burst - greatest(
                    0, rule.rate - state.rate * ceil(rule.period / state.period::double precision)
                )
            )
    END), 0)
    FROM (
        SELECT *, extract(epoch FROM next_at - clock_timestamp())::double precision AS ahead
        FROM tasks_ratestate
        WHERE key = place
    ) AS state
    CROSS JOIN LATERAL tasks_limit_in_force(place) AS rule
$$
"""

# How many more tasks may start under a key, or in a queue (`queue <name>`); and in how many seconds
# the next may, where only time decides. A permit whose start is not counted yet counts as one that
# starts now.
ROOM = """
CREATE FUNCTION tasks_room(place text, OUT room integer, OUT look_in double precision)
LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
    rule record;
    uncounted integer;
    ahead double precision;
BEGIN
    room := 1000000;
    IF place LIKE 'queue %' THEN
        IF EXISTS (SELECT FROM tasks_queue WHERE name = substr(place, 7) AND paused) THEN
            room := 0;
        END IF;
        RETURN;
    END IF;
    SELECT * INTO rule FROM tasks_limit_in_force(place);
    IF rule.paused THEN
        room := 0;
        RETURN;
    END IF;
    IF rule.concurrent IS NOT NULL THEN
        room := rule.concurrent - (
            SELECT count(*) FROM (
                SELECT FROM tasks_permit
                WHERE key = place AND released_at IS NULL
                LIMIT rule.concurrent
            ) AS held
        );
    END IF;
    IF room > 0 AND rule.spacing IS NOT NULL THEN
        SELECT count(*) INTO uncounted FROM tasks_permit
        WHERE key = place AND is_rated AND (released_at IS NULL OR started_at IS NOT NULL);
        ahead := greatest(0, tasks_owed(place));
        room := least(room, floor(rule.burst - uncounted - ahead));
        IF room <= 0 AND uncounted < rule.burst THEN
            look_in := (ahead - (rule.burst - uncounted - 1)) * rule.spacing;
        END IF;
    END IF;
END
$$
"""

# Tasks that have permits and have not begun wait again: all under a paused limit or in a paused
# queue, and of a lowered limit the last ones of those that are too many. Of a task that has its turn
# under an ordered limit, the turn is taken only when that limit is paused.
RECALL = """
CREATE FUNCTION tasks_recall(place text) RETURNS void
LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
    rule record;
    surplus bigint := 0;
    jobs bigint[];
    tasks uuid[];
BEGIN
    IF place LIKE 'queue %' THEN
        IF EXISTS (SELECT FROM tasks_queue WHERE name = substr(place, 7) AND paused) THEN
            SELECT array_agg(job_id), array_agg(task_id) INTO jobs, tasks FROM (
                SELECT job.id AS job_id, task.id AS task_id
                FROM procrastinate_jobs AS job
                JOIN tasks_task AS task
                    ON task.id = (job.args ->> 'task_id')::uuid AND task.job_id = job.id
                WHERE job.status = 'todo' AND job.scheduled_at IS NULL
                    AND job.task_name LIKE 'task:%' AND job.queue_name = substr(place, 7)
                    AND job.tasks_line = 0
                FOR UPDATE OF job SKIP LOCKED
                FOR NO KEY UPDATE OF task SKIP LOCKED
            ) AS ready;
        END IF;
    ELSE
        SELECT * INTO rule FROM tasks_limit_in_force(place);
        SELECT CASE WHEN rule.paused THEN count(*) ELSE count(*) - rule.concurrent END
        INTO surplus
        FROM tasks_permit WHERE key = place AND released_at IS NULL;
        IF surplus > 0 THEN
            SELECT array_agg(job_id), array_agg(task_id) INTO jobs, tasks FROM (
                SELECT job.id AS job_id, task.id AS task_id
                FROM tasks_permit AS permit
                JOIN tasks_task AS task ON task.id = permit.task_id AND task.status = 'PENDING'
                JOIN procrastinate_jobs AS job
                    ON job.id = task.job_id AND (job.scheduled_at IS NULL OR job.tasks_line > 0)
                WHERE permit.key = place AND permit.released_at IS NULL
                ORDER BY job.id DESC
                LIMIT surplus
                FOR UPDATE OF job SKIP LOCKED
                FOR NO KEY UPDATE OF task SKIP LOCKED
            ) AS ready;
        END IF;
    END IF;
    UPDATE procrastinate_jobs
    SET scheduled_at = clock_timestamp(),
        tasks_line = 0,
        tasks_turn = CASE attempts WHEN 0 THEN tasks_turn ELSE 0 END
    WHERE id = ANY (jobs);
    UPDATE tasks_permit SET released_at = clock_timestamp()
    WHERE task_id = ANY (tasks) AND released_at IS NULL AND (NOT is_ordered OR key = place);
END
$$
"""

# After a change of a rate: the time of the next start as the new rate has it.
CONVERT_RATE = """
CREATE FUNCTION tasks_convert_rate(place text) RETURNS void
LANGUAGE sql SET enable_seqscan = off SET enable_bitmapscan = off AS $$
    UPDATE tasks_ratestate AS state
    SET next_at = clock_timestamp() + tasks_owed(place) * rule.spacing * interval '1 second',
        rate = rule.rate,
        period = rule.period,
        burst = rule.burst
    FROM tasks_limit_in_force(place) AS rule
    WHERE state.key = place
        AND rule.rate IS NOT NULL
        AND (state.rate, state.period, state.burst) <> (rule.rate, rule.period, rule.burst)
$$
"""

# The permits follow the task's row, whatever statement changes it. Each query of a function sees
# what was committed while the statement waited for the row, which the statement itself does not.
# Under an ordered limit a task keeps its turn from its first attempt until it has ended.
USE_PERMITS = """
CREATE FUNCTION tasks_use_permits() RETURNS trigger
LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.status = 'PROCESSING' THEN
        UPDATE tasks_permit SET started_at = NEW.started_at
        WHERE task_id = OLD.id AND is_rated AND started_at IS NULL AND released_at IS NULL;
    ELSE
        UPDATE tasks_permit SET released_at = clock_timestamp()
        WHERE task_id = OLD.id AND released_at IS NULL
            AND NOT (
                is_ordered AND TG_OP = 'UPDATE'
                AND OLD.status = 'PROCESSING' AND NEW.status = 'PENDING'
            );
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER tasks_use_permits AFTER UPDATE OF status ON tasks_task
    FOR EACH ROW WHEN (new.limit_keys IS NOT NULL AND old.status IS DISTINCT FROM new.status)
    EXECUTE FUNCTION tasks_use_permits();
CREATE TRIGGER tasks_return_permits AFTER DELETE ON tasks_task
    FOR EACH ROW WHEN (old.limit_keys IS NOT NULL)
    EXECUTE FUNCTION tasks_use_permits()
"""

# Wakes the leaders of workers, which admit.
ANNOUNCE_PERMITS = """
CREATE FUNCTION tasks_announce_permits() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify(
        'procrastinate_any_queue_v1',
        '{"type": "job_inserted", "job_id": 0, "queues": [], "scheduled": true}'
    );
    RETURN NULL;
END
$$;
CREATE TRIGGER tasks_announce_permits AFTER UPDATE ON tasks_permit
    FOR EACH ROW WHEN (
        old.released_at IS DISTINCT FROM new.released_at
        OR old.started_at IS DISTINCT FROM new.started_at
    )
    EXECUTE FUNCTION tasks_announce_permits();
CREATE TRIGGER tasks_announce_look AFTER INSERT ON tasks_permit
    FOR EACH ROW WHEN (new.released_at IS NOT NULL)
    EXECUTE FUNCTION tasks_announce_permits()
"""


class Migration(migrations.Migration):
    """Permits follow their tasks; a task without limits has no more to do."""

    dependencies = [("tasks", "0028_limits")]

    operations = [
        migrations.RunSQL(LINE_OF_JOB, NO_LINES),
        migrations.RunSQL(LIMITED, "DROP INDEX tasks_limited"),
        migrations.RunSQL(SERVED, "DROP SEQUENCE tasks_line_served"),
        migrations.RunSQL(
            LIMIT_KEYS, "DROP FUNCTION tasks_limit_keys(text, text, bigint, jsonb)"
        ),
        migrations.RunSQL(LIMIT_IN_FORCE, "DROP FUNCTION tasks_limit_in_force(text)"),
        migrations.RunSQL(OWED, "DROP FUNCTION tasks_owed(text)"),
        migrations.RunSQL(ROOM, "DROP FUNCTION tasks_room(text)"),
        migrations.RunSQL(CONVERT_RATE, "DROP FUNCTION tasks_convert_rate(text)"),
        migrations.RunSQL(RECALL, "DROP FUNCTION tasks_recall(text)"),
        migrations.RunSQL(
            USE_PERMITS,
            "DROP TRIGGER tasks_use_permits ON tasks_task;"
            " DROP TRIGGER tasks_return_permits ON tasks_task;"
            " DROP FUNCTION tasks_use_permits()",
        ),
        migrations.RunSQL(
            ANNOUNCE_PERMITS,
            "DROP TRIGGER tasks_announce_permits ON tasks_permit;"
            " DROP TRIGGER tasks_announce_look ON tasks_permit;"
            " DROP FUNCTION tasks_announce_permits()",
        ),
    ]
