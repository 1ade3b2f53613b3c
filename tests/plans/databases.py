"""The two seeded databases, and the moments and statistics that a test can choose from."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import LiteralString

from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection, transaction

from taskproject import cluster
from tasks import lifecycle
from tasks.models import Batch, Status, Task
from tests.databases import connected_to, database, open_session
from tests.plans import rows

# What waits where a million finished, in one lane of one queue; submitted after the statistics were
# gathered, as the newest tasks always are.
SUBMITTED = 1_000
# Also of the indexes: an expression in one has statistics of its own.
_CLEAR = """
WITH relation AS (
    SELECT oid, relname FROM pg_class WHERE oid = ANY (%s::regclass[])
), stored AS (
    SELECT oid, relname FROM relation
    UNION ALL
    SELECT index.oid, index.relname
    FROM relation
    JOIN pg_index ON indrelid = relation.oid
    JOIN pg_class AS index ON index.oid = indexrelid
)
SELECT
    pg_clear_relation_stats('public', relname),
    (
        SELECT count(pg_clear_attribute_stats('public', relname, attname, false)::text)
        FROM pg_attribute
        WHERE attrelid = stored.oid AND attnum > 0 AND NOT attisdropped
    )
FROM stored
"""


class Moment(StrEnum):
    """What the tables hold. A million tasks have ended in each of them."""

    IDLE = "idle"
    WAITING = "a million wait"
    FINISHED = "a million finished"


class Statistics(StrEnum):
    """When the planner's statistics were gathered."""

    NEVER = "never"
    WAITING = "while a million waited"
    IDLE = "while nothing waited"


@dataclass(frozen=True)
class Databases:
    """Two databases: in one of them a million tasks wait, in the other they are long gone."""

    waiting: str
    finished: str
    # Statements that give another database the statistics of this one.
    statistics: dict[Statistics, list[LiteralString]]

    @contextmanager
    def at(self, moment: Moment) -> Iterator[None]:
        """Connect Django to the database of a moment, in a transaction that is rolled back."""
        name = self.waiting if moment == Moment.WAITING else self.finished
        with connected_to(name), transaction.atomic():
            if moment == Moment.IDLE:
                waiting = Task.objects.filter(status=Status.PENDING)
                lifecycle.delete_many(list(waiting.values_list("pk", flat=True)))
            yield
            transaction.set_rollback(True)

    def use(self, statistics: Statistics) -> None:
        """Replace the planner's statistics until the end of the transaction."""
        with connection.cursor() as cursor:
            cursor.execute(_CLEAR, [rows.TABLES])
            for statement in self.statistics[statistics]:
                cursor.execute(statement)


@contextmanager
def seeded() -> Iterator[Databases]:
    """Make the databases, and drop them in the end."""
    waiting, finished = (f"plans_{name}_{os.getpid()}" for name in ("waiting", "finished"))
    with ExitStack() as stack:
        stack.enter_context(database(waiting, template="template1"))
        _fill(waiting)
        stack.enter_context(database(finished, template=waiting))
        with open_session(finished) as session:
            rows.drain(session)
        statistics = {
            Statistics.NEVER: [],
            Statistics.WAITING: _statistics_of(waiting),
            Statistics.IDLE: _statistics_of(finished),
        }
        with connected_to(finished):
            lifecycle.submit_many([lifecycle.prepare("test.script") for _ in range(SUBMITTED)])
        yield Databases(waiting=waiting, finished=finished, statistics=statistics)


def _fill(name: str) -> None:
    with connected_to(name):
        call_command("migrate", verbosity=0)
        many, few, _ = (
            User.objects.create_user(username, is_superuser=is_operator, is_staff=is_operator)
            for username, is_operator in (("many", False), ("few", False), ("operator", True))
        )
        ended, waiting = (Batch.objects.create(owner=many, total=rows.BATCH).pk for _ in range(2))
    seed = rows.Seed(
        many=many.pk,
        few=few.pk,
        ended_batch=ended,
        waiting_batch=waiting,
        now=int(time.time() * 1_000),
    )
    # Side by side, where there are two cores.
    with open_session(name) as tasks, open_session(name) as jobs, ThreadPoolExecutor() as pool:
        rows.make_unlogged(tasks)
        writing = pool.submit(rows.write_jobs, jobs, seed)
        rows.write_tasks(tasks, seed)
        writing.result()


def _statistics_of(name: str) -> list[LiteralString]:
    settings = connection.settings_dict
    dump = subprocess.run(
        [
            str(cluster.binaries() / "pg_dump"), "--statistics-only",
            *(f"--table={table}" for table in rows.TABLES),
            f"--host={settings['HOST']}", f"--port={settings['PORT']}",
            f"--username={settings['USER']}", f"--dbname={name}",
        ],
        check=True,
        capture_output=True,
        text=True,
    ).stdout  # fmt: skip
    return re.findall(r"^SELECT \* FROM pg_catalog\.pg_restore_\w+\(.*?^\);$", dump, re.M | re.S)
