-- reset: any status -> none
-- Deletes all tasks, their history, and the operators' pauses and circuit breakers. Whole tables
-- are locked, before the jobs: a statement that changes a task at the same time runs before or
-- after.
-- Workers continue: what they run loses its claim, and can write nothing. Jobs of other
-- applications stay.
TRUNCATE tasks_attempt, tasks_task, tasks_batch, tasks_queue, tasks_breaker, tasks_census, tasks_permit,
    tasks_line, tasks_ratestate, tasks_dependency, tasks_notedend;
DELETE FROM procrastinate_jobs WHERE task_name LIKE 'task:%'
