"""Errors of the database end a command with a sentence, where an operator can mend them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import DatabaseError, connection
from pytest_django import DjangoDbBlocker

from taskproject.database_errors import sentence_of
from taskproject.embedded import EmbeddedPostgres
from tasks.postgres.migrations import require_migrations
from tests.databases import connected_to, database, open_session
from tests.project.conftest import ROOT
from tests.workers import database_url

EMPTY = f"without_tables_{os.getpid()}"
COMMANDS = ["prune", "queue_status", "replace_secret", "rescue", "reset", "worker_health"]


@pytest.fixture(scope="module")
def empty(django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Make a database without tables."""
    with django_db_blocker.unblock(), database(EMPTY):
        yield


@pytest.fixture
def in_empty(empty: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Connect to a database without tables."""
    require_migrations.cache_clear()
    with django_db_blocker.unblock(), connected_to(EMPTY):
        yield


def error_of(command: str, *arguments: str) -> DatabaseError:
    with pytest.raises(DatabaseError) as raised:
        call_command(command, *arguments)
    return raised.value


@pytest.mark.parametrize("command", [*COMMANDS, "retry_failed"])
def test_a_database_without_tables_needs_migrations(command: str, in_empty: None) -> None:
    arguments = ["--kind", "text.analyze"] if command == "retry_failed" else []
    assert sentence_of(error_of(command, *arguments)) == (
        "The database lacks migrations of this version: run manage.py migrate."
    )


def test_a_role_that_may_create_no_table_is_named(in_empty: None) -> None:
    connection.cursor().execute("SET search_path = pg_catalog")
    sentence = sentence_of(error_of("migrate", "--verbosity=0"))
    assert sentence is not None
    assert sentence.startswith("The role in DATABASE_URL lacks a right: Unable to create the")
    assert "permission denied for schema pg_catalog" in sentence
    assert "\n" not in sentence


def run(url: str, *command: str) -> str:
    """Return the only line that a command writes when it fails."""
    process = subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert process.returncode == 1
    [line] = process.stderr.splitlines()
    return line


@pytest.mark.parametrize("command", ["migrate", "prune"])
def test_a_database_that_is_away_is_reported_in_one_line(command: str) -> None:
    line = run("postgres://a:sesame@127.0.0.1:1/x", command)
    assert line.startswith("The database cannot be reached: connection failed: ")
    assert "sesame" not in line


@pytest.mark.django_db
def test_a_worker_whose_role_does_not_exist_is_refused() -> None:
    url = database_url().replace(str(connection.settings_dict["USER"]), "nosuch", 1)
    assert 'FATAL: role "nosuch" does not exist' in run(url, "worker", "--processes=1")


def test_an_embedded_server_that_does_not_run_is_named(
    in_empty: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "EMBEDDED", EmbeddedPostgres(tmp_path))
    monkeypatch.setitem(connection.settings_dict, "HOST", str(tmp_path))
    connection.close()
    assert sentence_of(error_of("prune")) == (
        f"The embedded PostgreSQL of {tmp_path} does not run: start it with `make run` or"
        " `manage.py up`, or set DATABASE_URL."
    )
    connection.close()


def test_an_error_of_the_program_keeps_its_traceback(in_empty: None) -> None:
    with pytest.raises(DatabaseError) as raised, connection.cursor() as cursor:
        cursor.execute("SELEC 1")
    assert sentence_of(raised.value) is None


@pytest.mark.parametrize("option", ["IntervalStyle=iso_8601", "exit_on_error=on"])
def test_what_a_session_needs_wins_over_the_options_of_the_url(option: str) -> None:
    name, _, odd = option.partition("=")
    before = connection.settings_dict["OPTIONS"]
    connection.settings_dict["OPTIONS"] = {**before, "options": f"-c {option} -c work_mem=7MB"}
    try:
        with open_session("postgres") as session:
            assert session.execute(f"SHOW {name}".encode()).fetchone() != (odd,)
            assert session.execute("SHOW work_mem").fetchone() == ("7MB",)
    finally:
        connection.settings_dict["OPTIONS"] = before
