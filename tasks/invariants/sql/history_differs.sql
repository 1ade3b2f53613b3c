-- verify history_differs: tasks with counts that the history of their attempts does not confirm
-- Each ended attempt but a completed or a released one has a row, under its claim's number. The
-- current claim of a running or completed task has none. A manual retry sets losses and crashes back.
WITH part AS (
    -- part
)
SELECT task.id::text
FROM part AS task
CROSS JOIN LATERAL (
    SELECT
        count(*) FILTER (
            WHERE outcome IN ('failed', 'timed_out', 'crashed', 'cancelled')
        ) AS spent,
        count(*) FILTER (WHERE outcome = 'lost') AS losses,
        count(*) FILTER (WHERE outcome = 'crashed') AS crashes,
        coalesce(max(lease), 0) AS last_claim
    FROM tasks_attempt
    WHERE task_id = task.id
) AS history
CROSS JOIN LATERAL (
    SELECT (task.status IN ('PROCESSING', 'COMPLETED'))::integer AS current_claims
) AS current
WHERE task.attempt <> history.spent + current_claims
    OR task.losses > history.losses
    OR task.crashes > history.crashes
    OR history.last_claim > task.lease - current_claims
LIMIT %(most)s
