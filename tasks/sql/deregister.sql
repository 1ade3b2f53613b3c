-- deregister: deletes the row of a worker process; the rescuer finds what it may still hold
WITH deregistered AS (
    DELETE FROM procrastinate_workers WHERE id = ANY (%(workers)s::bigint[])
)
DELETE FROM tasks_worker WHERE id = ANY (%(workers)s::bigint[])
