-- reset: any status → –
-- Deletes all work there is or was, with what operators switched on its account. The tables are
-- taken whole, before the jobs: whoever moves a task meanwhile comes before or after, never between.
-- Workers live on: what they run loses its claim, and can write nothing. Jobs of other applications
-- stay.
TRUNCATE tasks_attempt, tasks_task, tasks_batch, tasks_queue, tasks_breaker, tasks_census;
DELETE FROM procrastinate_jobs WHERE task_name LIKE 'task:%'
