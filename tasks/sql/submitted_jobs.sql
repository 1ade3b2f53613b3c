-- submitted_jobs: no statement of its own; inserted in submit and replace at `-- submitted_jobs`
-- The jobs of the tasks in `submitted`.
-- The turn (start-time fair queueing) is the position of a job in its queue and priority: after the
-- waiting jobs of the same owner, but for a new owner at the current position, so that no owner
-- waits behind all the jobs of another.
-- A task under limits gets a job that is due at once and is staged first: with its permits, or into
-- a line (`stage.sql`). Its limits are looked up only where any exist.
turns AS MATERIALIZED (
    SELECT queue, priority, owner, tasks_last_turn(queue, priority, owner) AS last
    FROM (SELECT DISTINCT queue, priority, owner FROM submitted) AS owners
), enqueued AS (
    INSERT INTO procrastinate_jobs (
        id, queue_name, task_name, priority, args, scheduled_at, tasks_line, tasks_owner, tasks_turn
    )
    SELECT
        job_id, queue, 'task:' || kind, priority, jsonb_build_object('task_id', id),
        CASE WHEN is_limited THEN coalesce(scheduled_at, created_at) ELSE scheduled_at END,
        CASE WHEN is_limited THEN 0 END,
        owner, last + row_number() OVER (PARTITION BY queue, priority, owner ORDER BY job_id)
    FROM submitted
    JOIN turns USING (queue, priority, owner)
)
