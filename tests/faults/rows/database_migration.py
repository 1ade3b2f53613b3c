"""Rolling deploy: R37."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from tasks.models import Status
from tests.faults.harness.callers import Callers, uncompleted
from tests.faults.harness.processes import ROOT
from tests.faults.harness.row import Dice, Measured, row
from tests.faults.harness.system import System
from tests.waiting import wait_until

# What a later release may add: a column with a default, a constraint, an index.
MIGRATION = """
from django.db import migrations

class Migration(migrations.Migration):
    dependencies = [("tasks", "0001_initial")]
    operations = [
        migrations.RunSQL("ALTER TABLE tasks_task ADD COLUMN later text NOT NULL DEFAULT ''"),
        migrations.RunSQL(
            "ALTER TABLE tasks_task ADD CONSTRAINT later_short CHECK (length(later) < 9) NOT VALID"
        ),
        migrations.RunSQL("ALTER TABLE tasks_task VALIDATE CONSTRAINT later_short"),
        migrations.RunSQL("CREATE INDEX later_kind ON tasks_task (kind) WHERE later <> ''"),
    ]
"""


@row(
    "R37",
    title="a migration under load, old and new workers side by side",
    promise="nothing lost, tasks of unknown kinds wait",
    target="lost 0",
)
def deploy(system: System, dice: Dice) -> Measured:
    """Submit new kinds while only old workers run, migrate, then start a new worker."""
    web = system.web()
    old = system.workers(EXTRA_APPS="")
    text = {"kind": "text.analyze", "input": {"text": "to be or not"}}
    new = {"kind": "test.script", "input": {"value": 1}}
    with Callers(web.url, system.accepted, body=lambda: dice.choice([text, new])) as callers:
        wait_until(lambda: _ended(system, "text.analyze") > 150, what="old kinds run")
        began = time.monotonic()
        _migrate(system)
        took = time.monotonic() - began
        at = system.count(Status.COMPLETED)
        wait_until(lambda: system.count(Status.COMPLETED) > at + 50, what="old workers go on")
        waiting = system.count(Status.PENDING)
        touched = _touched(system)
        fresh = system.workers()
        wait_until(lambda: _ended(system, "test.script") > 50, what="new kinds run")
        old.end()
        fresh.must_run()
    system.wait_until_ended(within=60)
    accepted = len(system.accepted.ids())
    lost = uncompleted(system)
    statuses = callers.statuses()
    return Measured(
        f"migrated in {took:.1f} s; {waiting} tasks of the new kind waiting, {touched} of them "
        f"touched by the old worker; {accepted:,} accepted, lost {lost}; answers {dict(statuses)}",
        met=not lost and waiting > 0 and not touched and set(statuses) == {202},
    )


def _ended(system: System, kind: str) -> int:
    return int(
        system.queries.value(
            "SELECT count(*) FROM tasks_task WHERE kind = %(kind)s AND status = 'COMPLETED'",
            {"kind": kind},
        )
    )


def _touched(system: System) -> int:
    return int(
        system.queries.value(
            "SELECT count(*) FROM tasks_task"
            " WHERE kind = 'test.script' AND (lease > 0 OR status <> 'PENDING')"
        )
    )


def _migrate(system: System) -> None:
    """Apply the migration of an app that only the new release has."""
    app = system.directory / "later"
    (app / "migrations").mkdir(parents=True)
    (app / "__init__.py").touch()
    (app / "kinds.py").touch()
    (app / "migrations" / "__init__.py").touch()
    (app / "migrations" / "0001_initial.py").write_text(MIGRATION)
    environment = {
        **os.environ,
        "EXTRA_APPS": "tests.script,later",
        "PYTHONPATH": str(system.directory),
    }
    command = [sys.executable, "manage.py", "migrate", "later", "--verbosity=0"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
