-- callbacks: no statement of its own; inserted at `-- callbacks`
-- For each task that has just ended and has a callback address, submits a task of the engine's own
-- kind with its job, in the same statement: the end and its callback are committed together. The
-- kind, the queue and the number of attempts are those in `tasks/callbacks/`. Each receiver of each
-- owner has its own turns (`submit.sql`), so that it need not wait for all callbacks of another
-- receiver.
notification AS MATERIALIZED (
    SELECT
        tasks_uuid7() AS id, nextval('procrastinate_jobs_id_seq') AS job_id, owner_id,
        tasks_receiver(owner_id, callback_url) AS receiver, request_id, traceparent,
        jsonb_build_object('task_id', id, 'status', status, 'ended_at', finished_at) AS input
    FROM moved
    WHERE callback_url <> '' AND status IN ('COMPLETED', 'FAILED', 'CANCELLED')
), called_back AS (
    INSERT INTO tasks_task (
        id, owner_id, kind, queue, priority, status, input, metadata, attempt, max_attempts, lease,
        losses, crashes, progress, progress_message, cancel_requested, callback_url, created_at,
        job_id, request_id, traceparent
    )
    SELECT
        id, owner_id, 'callback.deliver', 'callbacks', 0, 'PENDING', input, '{}'::jsonb, 0, 10, 0,
        0, 0, 0, '', false, '', clock_timestamp(), job_id, request_id,
        traceparent
    FROM notification
), callback_turns AS MATERIALIZED (
    SELECT receiver, tasks_last_turn('callbacks', 0, receiver) AS last
    FROM (SELECT DISTINCT receiver FROM notification) AS receivers
), called_back_jobs AS (
    INSERT INTO procrastinate_jobs (
        id, queue_name, task_name, priority, args, tasks_owner, tasks_turn
    )
    SELECT
        job_id, 'callbacks', 'task:callback.deliver', 0, jsonb_build_object('task_id', id),
        receiver, last + row_number() OVER (PARTITION BY receiver ORDER BY job_id)
    FROM notification
    JOIN callback_turns USING (receiver)
),
