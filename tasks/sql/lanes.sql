-- lanes: no arrow; how many due jobs wait in the primary and in the retry lane, each up to `limit`
SELECT
    (
        SELECT count(*) FROM (
            SELECT FROM procrastinate_jobs
            WHERE status = 'todo' AND attempts = 0
                AND scheduled_at IS NULL
            LIMIT %(limit)s
        ) AS fresh
    ) AS fresh,
    (
        SELECT count(*) FROM (
            SELECT FROM procrastinate_jobs
            WHERE status = 'todo' AND attempts > 0
                AND scheduled_at IS NULL
            LIMIT %(limit)s
        ) AS tried
    ) AS tried
