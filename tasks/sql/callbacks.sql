-- callbacks: no statement of its own; finish, cancel and rescue have it where they say `-- callbacks`
-- For each task that has just ended, and whose owner wants to be told so, a task of the engine's own
-- kind comes with its job, or neither the end nor the callback does. The name, the queue and the
-- number of attempts are those in `tasks/callbacks/`.
called_back AS (
    INSERT INTO tasks_task (
        id, owner_id, kind, queue, priority, status, input, metadata, attempt, max_attempts, lease,
        losses, crashes, progress, progress_message, cancel_requested, callback_url, created_at,
        job_id
    )
    SELECT
        tasks_uuid7(), owner_id, 'callback.deliver', 'callbacks', 0, 'PENDING',
        jsonb_build_object('task_id', id, 'status', status, 'ended_at', finished_at),
        '{}'::jsonb, 0, 10, 0, 0, 0, 0, '', false, '', clock_timestamp(),
        nextval('procrastinate_jobs_id_seq')
    FROM moved
    WHERE callback_url <> '' AND status IN ('COMPLETED', 'FAILED', 'CANCELLED')
    RETURNING id, job_id, coalesce(owner_id, 0) AS owner
), callback_turns AS MATERIALIZED (
    SELECT owner, tasks_last_turn('callbacks', 0, owner) AS last
    FROM (SELECT DISTINCT owner FROM called_back) AS owners
), called_back_jobs AS (
    INSERT INTO procrastinate_jobs (
        id, queue_name, task_name, priority, args, tasks_owner, tasks_turn
    )
    SELECT
        job_id, 'callbacks', 'task:callback.deliver', 0, jsonb_build_object('task_id', id), owner,
        last + row_number() OVER (PARTITION BY owner ORDER BY job_id)
    FROM called_back
    JOIN callback_turns USING (owner)
),
