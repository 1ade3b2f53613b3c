from __future__ import annotations

from django.db import migrations

# Whose turn a callback is: a number for an owner and the host and port that a URL leads to. It
# stands where an owner's own would, in `procrastinate_jobs.tasks_owner`.
RECEIVER = """
CREATE FUNCTION tasks_receiver(owner bigint, url text) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN hashtextextended(concat(owner, ' ', substring(url FROM '^[^:]*://[^/?]*')), 0)
"""


class Migration(migrations.Migration):
    """Turns for each receiver of callbacks, so that nobody waits for another's.

    What waits already keeps the turns of its owner.
    """

    dependencies = [("tasks", "0011_worker_memory")]

    operations = [
        migrations.RunSQL(RECEIVER, "DROP FUNCTION tasks_receiver(bigint, text)"),
    ]
