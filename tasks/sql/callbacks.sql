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
    RETURNING id, job_id
), called_back_jobs AS (
    INSERT INTO procrastinate_jobs (id, queue_name, task_name, priority, args)
    SELECT
        job_id, 'callbacks', 'task:callback.deliver', 0, jsonb_build_object('task_id', id)
    FROM called_back
),
