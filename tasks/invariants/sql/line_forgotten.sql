-- verify line_forgotten: blocked tasks that nothing will look at
-- Their line is gone; or what blocks it has room, and neither a permit that was given back nor a time
-- is left that makes it looked at. A line that was served since is another row in the second look.
WITH part AS (
    -- part
)
SELECT 'line ' || line.id || ' served ' || line.served
FROM (SELECT * FROM tasks_line ORDER BY id LIMIT %(limit)s) AS line
WHERE line.look_at IS NULL
    AND (SELECT room FROM tasks_room(line.blocked_at)) > 0
    AND NOT EXISTS (SELECT FROM tasks_permit WHERE released_at IS NOT NULL)
UNION ALL
SELECT 'job ' || part.id
FROM part
WHERE part.tasks_line > 0
    AND NOT EXISTS (SELECT FROM tasks_line WHERE tasks_line.id = part.tasks_line)
LIMIT %(most)s
