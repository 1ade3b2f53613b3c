-- end_batches: no change of status; batches of which every member has ended
-- Their callbacks are queued in the same statement.
WITH ended AS (
    UPDATE tasks_batch AS batch
    SET outcome = new.outcome,
        ended_at = clock_timestamp()
    FROM jsonb_to_recordset(%(new)s::jsonb) AS new (id uuid, outcome text)
    WHERE batch.id = new.id
    RETURNING
        batch.id, batch.owner_id, batch.outcome AS status, batch.ended_at AS finished_at,
        batch.callback_url, '' AS request_id, '' AS traceparent
),
-- callbacks
noted AS (
    SELECT id, status FROM ended
)
SELECT id, status FROM noted
