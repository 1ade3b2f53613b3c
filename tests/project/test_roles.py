"""A cluster of version 1.0, whose application's role was the superuser, is converted by a start."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from taskproject import cluster
from taskproject.embedded import EmbeddedError, EmbeddedPostgres
from tests.project.conftest import ROOT, open_directory
from tests.servers import ServerProcess, running

Contents = dict[str, list[tuple[Any, ...]]]

TABLES = "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 2200"
OWNED_BY_THE_SUPERUSER = """
SELECT sort::text, oid FROM (
    SELECT 'pg_class'::regclass, oid, relowner, relnamespace FROM pg_class UNION ALL
    SELECT 'pg_proc'::regclass, oid, proowner, pronamespace FROM pg_proc UNION ALL
    SELECT 'pg_type'::regclass, oid, typowner, typnamespace FROM pg_type UNION ALL
    SELECT 'pg_namespace'::regclass, oid, nspowner, oid FROM pg_namespace UNION ALL
    SELECT 'pg_statistic_ext'::regclass, oid, stxowner, stxnamespace FROM pg_statistic_ext
) AS object (sort, oid, owner, namespace)
WHERE owner = 10 AND namespace::regnamespace::text !~ '^(pg_|information_schema)'
    AND (sort, oid) NOT IN (SELECT classid, objid FROM pg_depend WHERE deptype = 'e')
    -- The types of arrays and rows of an extension follow it.
    AND NOT (sort = 'pg_type'::regclass AND EXISTS (
        SELECT FROM pg_type WHERE typarray = object.oid AND typowner = 10
    ))
"""
# One of each sort of object that a user may have made beside ours.
EXTRA = """
CREATE SCHEMA extra;
CREATE TABLE extra.parent (id bigserial, at date NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE extra.child PARTITION OF extra.parent FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE SEQUENCE extra.lone;
CREATE VIEW extra.seen AS SELECT id FROM extra.parent;
CREATE MATERIALIZED VIEW extra.kept AS SELECT 1 AS one;
CREATE TYPE extra.colour AS ENUM ('red');
CREATE TYPE extra.pair AS (a int, b int);
CREATE TYPE extra.span AS RANGE (subtype = int4);
CREATE DOMAIN extra.positive AS int CHECK (VALUE > 0);
CREATE FUNCTION extra.twice(int) RETURNS int LANGUAGE sql RETURN 2 * $1;
CREATE PROCEDURE extra.nothing() LANGUAGE sql AS '';
CREATE AGGREGATE extra.total(int) (sfunc = int4pl, stype = int);
CREATE STATISTICS extra.both ON id, at FROM extra.child;
ALTER ROLE tasks IN DATABASE tasks SET work_mem = '9MB';
"""


def rows(server: EmbeddedPostgres, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def contents(server: EmbeddedPostgres) -> Contents:
    """Return the rows of every table."""
    with psycopg.connect(server.url()) as connection:
        tables = [row[0] for row in connection.execute(TABLES)]
        return {
            table: sorted(connection.execute(sql.SQL("TABLE {}").format(sql.SQL(table))), key=repr)
            for table in tables
        }


def run(server: EmbeddedPostgres, *command: str) -> str:
    """Run Python on the server's database; return its output."""
    environment = {"DATABASE_URL": server.url(), "EXTRA_APPS": "tests.script", "LOG_LEVEL": "ERROR"}
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={**os.environ, **environment},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout


@pytest.fixture(scope="module")
def filled() -> Iterator[tuple[Path, Contents]]:
    """Return a directory with a filled cluster of version 1.0, and its contents."""
    with open_directory() as directory:
        with running(directory, "--old") as old:
            run(old, "-m", "tests.project.filled")
            rows(old, EXTRA)
            assert rows(old, "SELECT current_setting('is_superuser')") == [("on",)]
            before = contents(old)
        yield directory, before


def test_a_cluster_of_version_1_0_loses_nothing_but_its_rights(
    filled: tuple[Path, Contents],
) -> None:
    directory, before = filled
    assert len(before["tasks_task"]) == 6
    # Those of the tasks that wait.
    assert len(before["procrastinate_jobs"]) == 2
    with running(directory) as new:
        assert contents(new) == before
        assert rows(new, OWNED_BY_THE_SUPERUSER) == []
        assert rows(new, "SHOW work_mem") == [("9MB",)]
        assert rows(new, "SELECT current_setting('is_superuser')") == [("off",)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            rows(new, "COPY (SELECT 1) TO PROGRAM 'true'")
        with pytest.raises(psycopg.OperationalError, match=r"pg_hba.conf rejects"):
            psycopg.connect(new.url(), user=cluster.SUPERUSER)


def test_the_new_owner_migrates_and_prunes(filled: tuple[Path, Contents]) -> None:
    with running(filled[0]) as new:
        run(new, "manage.py", "migrate", "tasks", "0012", "--verbosity=0")
        run(new, "manage.py", "migrate", "--verbosity=0")
        rows(new, "UPDATE tasks_task SET finished_at = '2020-01-01' WHERE finished_at IS NOT NULL")
        assert run(new, "manage.py", "prune") == "3 tasks deleted\n"
        assert rows(new, "SELECT status FROM tasks_task ORDER BY id") == [
            ("PENDING",), ("PROCESSING",), ("PENDING",),
        ]  # fmt: skip


def test_a_start_that_was_killed_after_the_conversion_is_completed(open_dir: Path) -> None:
    with running(open_dir, "--old") as old:
        rows(old, EXTRA)
        authentication = old.cluster / "pg_hba.conf"
        before = authentication.read_text()
    with running(open_dir):
        pass
    converted = authentication.read_text()
    authentication.write_text(before)
    with running(open_dir) as new:
        assert rows(new, OWNED_BY_THE_SUPERUSER) == []
    assert authentication.read_text() == converted == cluster.AUTHENTICATION


def test_a_conversion_that_fails_changes_nothing_and_says_why(open_dir: Path) -> None:
    with running(open_dir, "--old") as old:
        rows(old, "CREATE ROLE postgres")
    with pytest.raises(EmbeddedError, match=r"PostgreSQL cannot be set up: postgres: .*pg_authid"):
        ServerProcess(open_dir).start()
    assert (old.cluster / "pg_hba.conf").read_text() != cluster.AUTHENTICATION
