-- stage: no change of status; scheduled jobs that are due join those that can be claimed
-- Returns the seconds until the next one is due, 0 when `limit` or more were due now; and whether
-- tasks are first to be answered (`answer_waiting.sql`): then no permits were given, unless
-- `answered`. And whether ends were noted that nobody has acted upon (`noted_ends.sql`).
-- Claims read only jobs without a schedule, through an index that holds no others, so that two
-- hundred thousand tasks scheduled for later cost them nothing. Only here do such jobs get their
-- turns.
-- The jobs of tasks under limits get permits, or join a line (`tasks_admit` in the database). Also
-- without such jobs it is called when permits were given back or a line is to be looked at.
WITH due AS MATERIALIZED (
    SELECT id, queue_name, priority, tasks_owner, scheduled_at, tasks_line IS NOT NULL AS is_limited
    FROM procrastinate_jobs
    WHERE status = 'todo'
        AND scheduled_at <= statement_timestamp()
        AND task_name LIKE 'task:%%'
    ORDER BY scheduled_at
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
), placed AS (
    SELECT
        id, queue_name, priority, tasks_owner,
        row_number() OVER (
            PARTITION BY queue_name, priority, tasks_owner ORDER BY scheduled_at, id
        ) AS place
    FROM due
    WHERE NOT is_limited
), numbered AS MATERIALIZED (
    SELECT array_agg(id) AS ids, array_agg(turn) AS turns
    FROM (
        SELECT
            id,
            -- Looked up once for each owner.
            place + max(
                CASE place WHEN 1 THEN tasks_last_turn(queue_name, priority, tasks_owner) END
            ) OVER (PARTITION BY queue_name, priority, tasks_owner) AS turn
        FROM placed
    ) AS turns
), staged AS (
    -- Through arrays, so that no plan can read every job for each that is due: one that was made
    -- while the table was empty would.
    UPDATE procrastinate_jobs AS job
    SET scheduled_at = NULL,
        tasks_turn = CASE job.attempts
            WHEN 0 THEN numbered.turns[array_position(numbered.ids, job.id)]
            ELSE 0
        END
    FROM numbered
    WHERE job.id = ANY (ARRAY(SELECT id FROM due WHERE NOT is_limited))
), answerable AS MATERIALIZED (
    SELECT NOT %(answered)s AND EXISTS (
        SELECT FROM tasks_permit WHERE released_at IS NOT NULL AND key LIKE 'cache %%'
    ) AS is_first
), admission AS MATERIALIZED (
    SELECT CASE
        WHEN (SELECT is_first FROM answerable) THEN 0
        WHEN EXISTS (SELECT FROM due WHERE is_limited)
            OR EXISTS (SELECT FROM tasks_permit WHERE released_at IS NOT NULL)
            OR EXISTS (SELECT FROM tasks_permit WHERE is_rated AND started_at IS NOT NULL)
            OR EXISTS (SELECT FROM tasks_line WHERE look_at <= statement_timestamp())
            THEN tasks_admit(ARRAY(SELECT id FROM due WHERE is_limited), %(limit)s::integer)
        ELSE (
            SELECT extract(epoch FROM look_at - clock_timestamp())
            FROM tasks_line
            WHERE look_at IS NOT NULL
            ORDER BY look_at
            LIMIT 1
        )
    END AS next_look
)
SELECT CASE (SELECT count(*) FROM due)
    WHEN %(limit)s THEN 0.0
    ELSE least(
        admission.next_look,
        (
            SELECT extract(epoch FROM scheduled_at - clock_timestamp())::float
            FROM procrastinate_jobs
            WHERE status = 'todo'
                AND scheduled_at > statement_timestamp()
                -- Without those that are blocked, which may be a million.
                AND scheduled_at < 'infinity'
                AND task_name LIKE 'task:%%'
            ORDER BY scheduled_at
            LIMIT 1
        )
    )
END, answerable.is_first, EXISTS (SELECT FROM tasks_notedend)
FROM admission, answerable
