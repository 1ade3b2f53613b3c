-- verify batch_too_large: batches with more tasks than were submitted in them
-- Tasks may be deleted, so fewer are allowed. The newest batches, as long as they have at most
-- `limit` tasks together; of each at most one more than it had is counted. Not those whose members'
-- follow-ups are members too.
WITH newest AS (
    SELECT id, total, sum(total) OVER (ORDER BY id DESC) AS reach
    FROM (
        SELECT id, total FROM tasks_batch WHERE NOT is_awaited ORDER BY id DESC LIMIT %(limit)s
    ) AS batch
)
SELECT newest.id::text
FROM newest
CROSS JOIN LATERAL (
    SELECT count(*) AS tasks
    FROM (SELECT FROM tasks_task WHERE batch_id = newest.id LIMIT newest.total + 1) AS task
) AS counted
WHERE newest.reach <= %(limit)s AND counted.tasks > newest.total
ORDER BY newest.id DESC
LIMIT %(most)s
