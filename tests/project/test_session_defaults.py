"""What the owner of a database has set for its sessions changes nothing."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, LiteralString

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from psycopg import sql
from pytest_django import DjangoDbBlocker
from rest_framework.test import APIClient

from tasks import schedules
from tasks.models import Schedule, Task
from tests.console.pages import text
from tests.databases import connected_to, database, open_session
from tests.project.conftest import ROOT
from tests.threads import in_threads
from tests.waiting import wait_until
from tests.workers import WorkerCommand, database_url

pytestmark = pytest.mark.xdist_group("session defaults")

TEMPLATE = f"odd_template_{os.getpid()}"
COPY = f"odd_{os.getpid()}"
TOGETHER = {
    "IntervalStyle": "iso_8601",
    "DateStyle": "SQL, DMY",
    "default_transaction_isolation": "serializable",
    "standard_conforming_strings": "off",
    "array_nulls": "off",
    "bytea_output": "escape",
    "extra_float_digits": "-15",
    "transform_null_equals": "on",
    "quote_all_identifiers": "on",
    "TimeZone": "Asia/Kathmandu",
    "client_encoding": "LATIN1",
    "lc_time": "C",
}
ODD: list[dict[str, str]] = [
    *({name: value} for name, value in TOGETHER.items()),
    {"IntervalStyle": "sql_standard"},
    {"DateStyle": "German"},
    {"DateStyle": "Postgres, MDY"},
    {"default_transaction_isolation": "repeatable read"},
    TOGETHER,
]
VALUE = {"text": "naïve \\d \\\\ ' \" 猫", "null": None, "float": 0.1 + 0.2, "list": [None, "NULL"]}
THREADS, SUBMITS = 8, 25


def set_defaults(name: str, defaults: dict[str, str]) -> None:
    with open_session("postgres") as session:
        for setting, value in defaults.items():
            statement = sql.SQL("ALTER DATABASE {} SET {} = {}")
            # DateStyle is a list: one quoted text would be read as one word.
            values = sql.SQL(", ").join(sql.Literal(word) for word in value.split(", "))
            session.execute(statement.format(sql.Identifier(name), sql.Identifier(setting), values))


@pytest.fixture(scope="module")
def migrated(django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """Return the output of `manage.py migrate` in a database in which every default is odd."""
    with django_db_blocker.unblock(), database(TEMPLATE):
        set_defaults(TEMPLATE, TOGETHER)
        with connected_to(TEMPLATE):
            url = database_url()
        process = subprocess.run(
            [sys.executable, "manage.py", "migrate", "--run-syncdb"],
            cwd=ROOT,
            env={**os.environ, "DATABASE_URL": url},
            capture_output=True,
            text=True,
            check=False,
        )
        assert process.returncode == 0, process.stderr
        yield process.stdout + process.stderr


@pytest.fixture
def odd(
    request: pytest.FixtureRequest, migrated: str, django_db_blocker: DjangoDbBlocker
) -> Iterator[dict[str, str]]:
    """Connect to a migrated database with odd defaults."""
    defaults: dict[str, str] = request.param
    with django_db_blocker.unblock(), database(COPY, template=TEMPLATE):
        set_defaults(COPY, defaults)
        with connected_to(COPY):
            yield defaults


def with_defaults(defaults: list[dict[str, str]]) -> Any:
    names = [", ".join(f"{name}={odd[name]}" for name in odd)[:50] for odd in defaults]
    return pytest.mark.parametrize("odd", defaults, ids=names, indirect=True)


every_default = with_defaults(ODD)
all_together = with_defaults([TOGETHER])
# A worker of its own for each takes seconds.
worst_defaults = with_defaults(
    [
        {"IntervalStyle": "sql_standard"},
        {"DateStyle": "German"},
        {"default_transaction_isolation": "repeatable read"},
        {"standard_conforming_strings": "off", "array_nulls": "off"},
        TOGETHER,
    ]
)


def selected(statement: LiteralString) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0]


def test_all_migrations_run_whatever_the_defaults_are(migrated: str) -> None:
    assert "Applying tasks.0001_initial... OK" in migrated


@worst_defaults
def test_a_task_lives_its_whole_life_whatever_the_defaults_are(odd: dict[str, str]) -> None:
    api = APIClient()
    began = timezone.now()
    for body in (
        {"kind": "test.script", "input": {"value": VALUE}},
        {"kind": "test.script", "input": {"do": "retry once"}, "delay": 0.1},
        {"kind": "test.script", "input": {"do": "fatal"}},
    ):
        assert api.post("/api/v1/tasks/", body, format="json").status_code == 202
    # Due and counted down to by the scheduler.
    made = schedules.create(name="soon", kind="test.script", input={}, cron="0 3 * * *")
    Schedule.objects.filter(pk=made.pk).update(next_at=timezone.now())
    assert -5 < (schedules.seconds_until_next() or 0) <= 0
    command = WorkerCommand()
    try:
        wait_until(lambda: Task.objects.filter(finished_at__isnull=False).count() == 4)
    finally:
        command.end()
    first, second, third = Task.objects.filter(metadata={}).order_by("id")
    assert (first.result, second.attempt) == ({"echo": VALUE}, 2)
    assert (third.status, third.error and third.error["type"]) == ("FAILED", "FatalError")
    shown = api.get(f"/api/v1/tasks/{first.pk}").json()
    for name in ("created_at", "started_at", "finished_at"):
        moment = dt.datetime.fromisoformat(shown[name])
        assert began - dt.timedelta(seconds=1) < moment < timezone.now(), name


@every_default
def test_health_and_console_answer_whatever_the_defaults_are(odd: dict[str, str]) -> None:
    api, browser = APIClient(), Client()
    browser.force_login(User.objects.create_superuser("admin"))
    for _ in range(2):
        assert api.post("/v1/tasks", {"text": "a b"}, format="json").status_code == 202
    assert api.get("/health").json()["queue"] == {"waiting": 2}
    assert api.get("/health/ready").json()["status"] == "ready"
    for path in ("/health/workers", "/api/v1/schedules/", "/api/v1/queues/status"):
        assert browser.get(path).status_code == 200, path
    assert "Pending, due 2" in text(browser.get(reverse("admin:index")))


@every_default
def test_a_session_has_what_the_engine_needs(odd: dict[str, str]) -> None:
    assert selected("SHOW IntervalStyle") == "postgres"
    assert selected("SHOW default_transaction_isolation") == "read committed"
    assert selected("SHOW TimeZone") == "UTC"
    assert selected("SELECT interval '1 day'") == dt.timedelta(days=1)
    assert selected("SELECT date '2026-02-01'") == dt.date(2026, 2, 1)
    assert selected("SELECT timestamptz '2026-02-01 00:00Z'") == dt.datetime(
        2026, 2, 1, tzinfo=dt.UTC
    )
    assert selected("SELECT 0.1::float8 + 0.2::float8") == 0.1 + 0.2
    assert selected("SELECT 'a\\d'") == "a\\d"
    assert selected("SELECT '{NULL}'::text[]") == [None]
    assert bytes(selected("SELECT '\\x00ff'::bytea")) == b"\x00\xff"
    assert selected("SELECT NULL = NULL") is None
    with open_session(connection.settings_dict["NAME"]) as worker:
        row = worker.execute("SELECT interval '1 day', 0.1::float8 + 0.2::float8").fetchone()
        assert row == (dt.timedelta(days=1), 0.1 + 0.2)


@all_together
def test_tasks_submitted_at_once_are_all_accepted(odd: dict[str, str]) -> None:
    def submit() -> list[int]:
        api = APIClient()
        return [
            api.post("/v1/tasks", {"text": "a b"}, format="json").status_code
            for _ in range(SUBMITS)
        ]

    assert in_threads(THREADS, submit) == [[202] * SUBMITS] * THREADS
