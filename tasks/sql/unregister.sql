-- unregister: a worker process leaves; what it may still hold is found by the rescuer
WITH left_seat AS (
    DELETE FROM procrastinate_workers WHERE id = ANY (%(workers)s::bigint[])
)
DELETE FROM tasks_worker WHERE id = ANY (%(workers)s::bigint[])
