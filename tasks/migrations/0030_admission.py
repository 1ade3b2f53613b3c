from __future__ import annotations

from django.db import migrations

# Gives permits to the lines that are blocked at one place, while it has room: highest priority
# first, then in turn. A line that is blocked elsewhere moves there. No permit is taken unless all
# are free. In the line of an ordered limit (`tasks_admit`) a task only gets its turn, and then joins
# the line of its other limits. A task or job that another transaction has locked is looked at again soon, as is a place
# with more to do than `most`. Returns how much was done.
ADMIT_AT = """
CREATE FUNCTION tasks_admit_at(place text, most integer) RETURNS integer
LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
    -- The work that was done: this place, lines that moved, tasks.
    done integer := 1;
    here record;
    there record;
    line tasks_line;
    other text;
    blocker text;
    share integer;
    is_turn boolean;
    jobs bigint[];
    tasks uuid[];
BEGIN
    here := tasks_room(place);
    WHILE here.room > 0 AND done < most LOOP
        SELECT * INTO line FROM tasks_line
        WHERE blocked_at = place
        ORDER BY priority DESC, served
        LIMIT 1
        FOR UPDATE SKIP LOCKED;
        EXIT WHEN NOT FOUND;
        share := least(here.room, most - done);
        blocker := NULL;
        FOREACH other IN ARRAY array_prepend('queue ' || line.queue::text, line.keys) LOOP
            there := tasks_room(other);
            IF there.room <= 0 THEN
                blocker := other;
                EXIT;
            END IF;
            share := least(share, there.room);
        END LOOP;
        IF blocker IS NOT NULL THEN
            UPDATE tasks_line
            SET blocked_at = blocker,
                look_at = clock_timestamp() + there.look_in * interval '1 second'
            WHERE id = line.id;
            done := done + 1;
            CONTINUE;
        END IF;
        IF EXISTS (
            SELECT FROM tasks_line
            WHERE blocked_at = place AND priority = line.priority AND id <> line.id
        ) THEN
            share := 1;
        END IF;
        SELECT array_agg(job_id), array_agg(task_id) INTO jobs, tasks FROM (
            SELECT job.id AS job_id, task.id AS task_id
            FROM procrastinate_jobs AS job
            JOIN tasks_task AS task
                ON task.id = (job.args ->> 'task_id')::uuid AND task.job_id = job.id
            WHERE job.tasks_line = line.id AND job.tasks_line > 0
            ORDER BY (job.attempts = 0 OR job.tasks_turn > 0), job.id
            LIMIT share
            FOR UPDATE OF job SKIP LOCKED
            FOR NO KEY UPDATE OF task SKIP LOCKED
        ) AS next;
        IF jobs IS NOT NULL THEN
            is_turn := cardinality(line.keys) = 1 AND EXISTS (
                SELECT FROM tasks_limit
                WHERE ordered AND id::text = split_part(line.keys[1], ':', 1)
            );
            INSERT INTO tasks_permit (key, task_id, is_rated, is_ordered, created_at)
            SELECT key, task_id, rule.spacing IS NOT NULL, is_turn, clock_timestamp()
            FROM unnest(line.keys) AS key
            CROSS JOIN LATERAL tasks_limit_in_force(key) AS rule
            CROSS JOIN unnest(tasks) AS task_id
            WHERE rule.id IS NOT NULL;
            UPDATE procrastinate_jobs AS job
            SET scheduled_at = CASE WHEN is_turn THEN clock_timestamp() END,
                tasks_line = 0,
                tasks_turn = CASE job.attempts
                    WHEN 0 THEN turn.last + array_position(jobs, job.id)
                    ELSE 0
                END
            FROM (SELECT tasks_last_turn(line.queue, line.priority, line.owner_id) AS last) AS turn
            WHERE job.id = ANY (jobs);
            done := done + cardinality(jobs);
            here.room := here.room - cardinality(jobs);
        END IF;
        IF NOT EXISTS (
            SELECT FROM procrastinate_jobs WHERE tasks_line = line.id AND tasks_line > 0
        ) THEN
            DELETE FROM tasks_line WHERE id = line.id;
            done := done + 1;
        ELSIF jobs IS NULL THEN
            UPDATE tasks_line SET look_at = clock_timestamp() + interval '50 ms'
            WHERE id = line.id;
            RETURN done;
        ELSE
            UPDATE tasks_line SET served = nextval('tasks_line_served') WHERE id = line.id;
        END IF;
    END LOOP;
    here := tasks_room(place);
    IF here.look_in IS NOT NULL OR (here.room > 0 AND done >= most) THEN
        UPDATE tasks_line
        SET look_at = clock_timestamp() + coalesce(here.look_in, 0) * interval '1 second'
        WHERE id = (
            SELECT id FROM tasks_line
            WHERE blocked_at = place
            ORDER BY priority DESC, served
            LIMIT 1
            FOR UPDATE SKIP LOCKED
        );
    END IF;
    RETURN done;
END
$$
"""

# `due` jobs join their lines. Those under an ordered limit first join one line for all owners and
# priorities, in the order of their submission; while they have their turn, that of their other
# limits. Then permits go to the lines of each place that got room, at most
# `most` at once. One transaction at a time admits, so that it counts right without locks on rows.
# Returns the seconds until the next look: 0 while there is more to do, null for none.
ADMIT = """
CREATE FUNCTION tasks_admit(due bigint[], most integer) RETURNS double precision
LANGUAGE plpgsql SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE
    places text[] := '{}';
    changed text[];
    later text[] := '{}';
    place text;
    start record;
    arrival record;
    line_id bigint;
    left_over integer := most;
    -- A value: by clock_timestamp(), which is volatile, no index would be searched.
    moment timestamptz;
    -- A task is under one of them at most, so that no two wait for each other's turn.
    ordered_limits text[] := ARRAY(SELECT id::text FROM tasks_limit WHERE ordered);
BEGIN
    PERFORM pg_advisory_xact_lock(1952542572);
    FOR start IN
        WITH counted AS (
            UPDATE tasks_permit SET is_rated = false
            WHERE id = ANY (ARRAY(
                SELECT id FROM tasks_permit
                WHERE is_rated AND started_at IS NOT NULL
                LIMIT most
                FOR UPDATE SKIP LOCKED
            ))
            RETURNING key, started_at
        )
        SELECT counted.key, started_at, spacing * interval '1 second' AS spacing,
            rate, period, burst
        FROM counted
        CROSS JOIN LATERAL tasks_limit_in_force(counted.key) AS rule
        WHERE spacing IS NOT NULL
        ORDER BY started_at
    LOOP
        PERFORM tasks_convert_rate(start.key);
        INSERT INTO tasks_ratestate AS state (key, next_at, rate, period, burst)
        VALUES (
            start.key, start.started_at + start.spacing, start.rate, start.period, start.burst
        )
        ON CONFLICT (key) DO UPDATE
        SET next_at = greatest(state.next_at, start.started_at) + start.spacing;
        places := array_append(places, start.key);
    END LOOP;
    WITH gone AS (
        DELETE FROM tasks_permit
        WHERE id = ANY (ARRAY(
            SELECT id FROM tasks_permit
            WHERE released_at IS NOT NULL AND NOT (is_rated AND started_at IS NOT NULL)
            LIMIT most
            FOR UPDATE SKIP LOCKED
        ))
        RETURNING key, task_id
    ), changed_place AS (
        SELECT key FROM gone WHERE task_id IS NULL
        UNION
        SELECT line.blocked_at FROM tasks_line AS line
        JOIN gone ON gone.task_id IS NULL AND line.blocked_at LIKE gone.key || ':%'
        UNION
        SELECT permit.key FROM tasks_permit AS permit
        JOIN gone ON gone.task_id IS NULL AND permit.key LIKE gone.key || ':%'
        WHERE permit.released_at IS NULL
    )
    SELECT
        (SELECT array_agg(key) FROM changed_place),
        places || coalesce((SELECT array_agg(key) FROM gone WHERE task_id IS NOT NULL), '{}')
    INTO changed, places;
    FOREACH place IN ARRAY coalesce(changed, '{}') LOOP
        PERFORM tasks_convert_rate(place);
        PERFORM tasks_recall(place);
        places := array_append(places, place);
    END LOOP;
    FOR arrival IN
        SELECT
            CASE
                WHEN turn.key IS NULL THEN coalesce(task.limit_keys, '{}')
                WHEN turn.is_held THEN array_remove(task.limit_keys, turn.key)
                ELSE ARRAY[turn.key]
            END AS keys,
            job.queue_name AS queue,
            CASE WHEN turn.is_held IS DISTINCT FROM false THEN job.priority ELSE 0 END AS priority,
            CASE WHEN turn.is_held IS DISTINCT FROM false THEN job.tasks_owner ELSE 0 END AS owner,
            array_agg(job.id) AS jobs, array_agg(task.id) AS tasks
        FROM unnest(due) AS due_id
        JOIN procrastinate_jobs AS job ON job.id = due_id
        JOIN tasks_task AS task
            ON task.id = (job.args ->> 'task_id')::uuid AND task.job_id = job.id
        LEFT JOIN LATERAL (
            SELECT
                key,
                NOT (SELECT paused FROM tasks_limit_in_force(key)) AND EXISTS (
                    SELECT FROM tasks_permit AS permit
                    WHERE permit.task_id = task.id AND permit.key = limit_key.key
                        AND is_ordered AND released_at IS NULL
                ) AS is_held
            FROM unnest(task.limit_keys) AS limit_key (key)
            WHERE ordered_limits <> '{}' AND split_part(key, ':', 1) = ANY (ordered_limits)
            LIMIT 1
        ) AS turn ON true
        GROUP BY 1, 2, 3, 4
        ORDER BY min(job.id)
    LOOP
        SELECT id INTO line_id FROM tasks_line
        WHERE keys = arrival.keys AND queue = arrival.queue AND priority = arrival.priority
            AND owner_id = arrival.owner;
        IF NOT FOUND THEN
            INSERT INTO tasks_line (keys, queue, priority, owner_id, blocked_at, served)
            VALUES (
                arrival.keys, arrival.queue, arrival.priority, arrival.owner,
                'queue ' || arrival.queue, nextval('tasks_line_served')
            )
            RETURNING id INTO line_id;
            places := array_append(places, 'queue ' || arrival.queue);
        END IF;
        UPDATE procrastinate_jobs AS job
        SET scheduled_at = 'infinity',
            tasks_line = line_id,
            -- One that has its turn, and waits because that limit is paused, stays the first.
            tasks_turn = CASE
                WHEN ordered_limits <> '{}' AND EXISTS (
                    SELECT FROM tasks_permit AS permit
                    WHERE permit.task_id = (job.args ->> 'task_id')::uuid
                        AND is_ordered AND released_at IS NULL AND permit.key = ANY (arrival.keys)
                ) THEN 0
                ELSE tasks_turn
            END
        WHERE id = ANY (arrival.jobs);
        -- A task whose job was lost by hand while it could be claimed still has some.
        UPDATE tasks_permit SET released_at = clock_timestamp()
        WHERE task_id = ANY (arrival.tasks) AND released_at IS NULL
            AND (NOT is_ordered OR key = ANY (arrival.keys));
    END LOOP;
    -- Jobs that no task names.
    DELETE FROM procrastinate_jobs WHERE id = ANY (due) AND tasks_line = 0;
    moment := clock_timestamp();
    WITH looked AS (
        UPDATE tasks_line SET look_at = NULL
        WHERE id = ANY (ARRAY(
            SELECT id FROM tasks_line
            WHERE look_at <= moment
            ORDER BY look_at
            LIMIT most
            FOR UPDATE SKIP LOCKED
        ))
        RETURNING blocked_at
    )
    SELECT places || coalesce(array_agg(blocked_at), '{}') INTO places FROM looked;
    FOR place IN SELECT DISTINCT unnest(places) ORDER BY 1 LOOP
        IF left_over > 0 THEN
            left_over := left_over - tasks_admit_at(place, left_over);
        ELSE
            later := array_append(later, place);
        END IF;
    END LOOP;
    UPDATE tasks_line SET look_at = clock_timestamp()
    WHERE id IN (
        SELECT DISTINCT ON (blocked_at) id FROM tasks_line
        WHERE blocked_at = ANY (later)
        ORDER BY blocked_at, priority DESC, served
    );
    moment := clock_timestamp();
    IF EXISTS (SELECT FROM tasks_permit WHERE released_at IS NOT NULL)
        OR EXISTS (SELECT FROM tasks_permit WHERE is_rated AND started_at IS NOT NULL)
        -- Those that have just got their turn.
        OR (
            SELECT tasks_line
            FROM procrastinate_jobs
            WHERE status = 'todo' AND task_name LIKE 'task:%' AND tasks_line = 0
                AND scheduled_at <= moment
            ORDER BY scheduled_at
            LIMIT 1
        ) IS NOT NULL
    THEN
        RETURN 0;
    END IF;
    RETURN (
        SELECT greatest(0, extract(epoch FROM look_at - clock_timestamp()))
        FROM tasks_line
        WHERE look_at IS NOT NULL
        ORDER BY look_at
        LIMIT 1
    );
END
$$
"""


class Migration(migrations.Migration):
    """Permits are given to tasks in turn.

    Workers of the version before start limited tasks without permits: limits hold once they ended.
    """

    dependencies = [("tasks", "0029_permits")]

    operations = [
        migrations.RunSQL(ADMIT_AT, "DROP FUNCTION tasks_admit_at(text, integer)"),
        migrations.RunSQL(ADMIT, "DROP FUNCTION tasks_admit(bigint[], integer)"),
    ]
