-- release: no change of status; tasks that waited for others are due
-- Their inputs now have the results that they named (`input` is null where there was none), and
-- their limits are those of the new inputs. `stage.sql` makes them claimable; the leaders of workers
-- are told.
WITH target AS MATERIALIZED (
    SELECT task.id, task.job_id, new.input, new.cache_key
    FROM jsonb_to_recordset(%(new)s::jsonb) AS new (id uuid, input jsonb, cache_key text)
    JOIN tasks_task AS task ON task.id = new.id
    WHERE task.status = 'PENDING' AND task.scheduled_at = 'infinity'
    ORDER BY task.id
    FOR UPDATE OF task
), released AS (
    UPDATE tasks_task AS task
    SET scheduled_at = statement_timestamp(),
        input = coalesce(target.input, task.input),
        error = NULL,
        cache_key = target.cache_key,
        limit_keys = CASE
            WHEN EXISTS (SELECT FROM tasks_limit) OR target.cache_key IS NOT NULL
                THEN tasks_permit_keys(
                    task.kind, task.queue, task.owner_id, coalesce(target.input, task.input),
                    target.cache_key
                )
        END
    FROM target
    WHERE task.id = target.id
    RETURNING
        task.id, task.job_id, task.scheduled_at, task.limit_keys IS NOT NULL AS is_limited
), due AS (
    UPDATE procrastinate_jobs AS job
    SET scheduled_at = released.scheduled_at,
        tasks_line = CASE WHEN released.is_limited THEN 0 END
    FROM released
    WHERE job.id = ANY (ARRAY[released.job_id])
)
SELECT id, pg_notify(
    'procrastinate_any_queue_v1',
    '{"type": "job_inserted", "job_id": 0, "queues": [], "scheduled": true}'
)::text
FROM released
