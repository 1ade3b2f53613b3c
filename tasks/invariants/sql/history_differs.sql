-- verify history_differs: tasks with counts that the history of their attempts does not confirm
-- Each ended attempt but a completed or a released one has a row, under its claim's number. The
-- current claim of a running or completed task has none. A manual retry sets losses and crashes back.
-- A task that was answered with a stored result when it was submitted has had no claim.
-- Most tasks have no history and need none: for these one look into the index is enough.
WITH part AS (
    -- part
), counted AS (
    SELECT
        id, attempt, lease, losses, crashes,
        (
            status IN ('PROCESSING', 'COMPLETED') AND NOT (lease = 0 AND cached_from IS NOT NULL)
        )::integer AS current_claims
    FROM part
)
SELECT task.id::text
FROM counted AS task
WHERE CASE
    WHEN task.lease = current_claims AND task.attempt = current_claims
        AND task.losses = 0 AND task.crashes = 0
    THEN EXISTS (SELECT FROM tasks_attempt WHERE task_id = task.id)
    ELSE (
        SELECT
            task.attempt <> current_claims + count(*) FILTER (
                WHERE outcome IN ('failed', 'timed_out', 'crashed', 'cancelled')
            )
            OR task.losses > count(*) FILTER (WHERE outcome = 'lost')
            OR task.crashes > count(*) FILTER (WHERE outcome = 'crashed')
            OR coalesce(max(attempt.lease), 0) > task.lease - current_claims
        FROM tasks_attempt AS attempt
        WHERE attempt.task_id = task.id
    )
END
LIMIT %(most)s
