-- register: inserts the row of a worker process, with the key of procrastinate's own worker row
WITH registered AS (
    INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id
)
INSERT INTO tasks_worker (
    id, name, host, pid, queues, kinds, concurrency, state, started_at, heartbeat_at,
    running, processed, failed
)
SELECT
    id, %(name)s, %(host)s, %(pid)s, %(queues)s::text[], %(kinds)s::text[], %(concurrency)s,
    'running', clock_timestamp(), clock_timestamp(), 0, 0, 0
FROM registered
RETURNING id
