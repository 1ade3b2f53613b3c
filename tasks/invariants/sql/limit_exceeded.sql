-- verify limit_exceeded: limits under which more tasks run, or may start, than are allowed
-- Only permits count as too many that were taken after the last change of the limit.
SELECT permit.key
FROM (
    SELECT key, created_at, row_number() OVER (PARTITION BY key ORDER BY created_at, id) AS place
    FROM (
        SELECT * FROM tasks_permit WHERE released_at IS NULL ORDER BY id LIMIT %(limit)s
    ) AS held
) AS permit
CROSS JOIN LATERAL tasks_limit_in_force(permit.key) AS rule
WHERE permit.place > rule.concurrent AND permit.created_at > rule.since
GROUP BY permit.key
ORDER BY permit.key
LIMIT %(most)s
