"""libpq's variables: those of the caller do not reach the embedded server."""

from __future__ import annotations

import os
import subprocess
import sys
from unittest.mock import patch

import pytest

from taskproject.libpq_variables import remove_libpq_variables
from tests.project.conftest import ROOT
from tests.project.settings_file import settings_of
from tests.workers import database_url

VARIABLES = {
    "PGHOSTADDR": "10.9.9.9",
    "PGHOST": "10.9.9.9",
    "PGDATESTYLE": "German",
    "PGTZ": "Asia/Tokyo",
    "PGGEQO": "nonsense",
    "PGOPTIONS": "-c default_transaction_read_only=on",
    "PGSERVICE": "nosuch",
    "PGSERVICEFILE": "/nosuch",
    "PGSYSCONFDIR": "/nosuch",
    "PGREQUIREAUTH": "scram-sha-256",
    "PGREQUIREPEER": "nobody",
    "PGTARGETSESSIONATTRS": "standby",
    "PGCLIENTENCODING": "LATIN1",
    "PGAPPNAME": "another",
    "PGCONNECT_TIMEOUT": "soon",
    "PGMINPROTOCOLVERSION": "nonsense",
}
SESSION = """
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute(
        "SELECT date '2026-02-01', now() - now(), current_setting('DateStyle'),"
        " current_setting('TimeZone'), current_setting('default_transaction_read_only')"
    )
    print(*cursor.fetchone(), sep="|")
"""


def session(**environment: str) -> str:
    """Return the values that a command reads in a session of its own."""
    process = subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "-c", SESSION],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout.strip()


@pytest.mark.parametrize("name", VARIABLES)
def test_a_variable_of_libpq_does_not_outlast_the_settings_of_the_embedded_server(
    name: str,
) -> None:
    environment = {name: VARIABLES[name], "PGADMIN_DEFAULT_EMAIL": "x"}
    assert left_by(environment) == {"PGADMIN_DEFAULT_EMAIL"}


def test_with_a_url_they_stay_but_for_those_that_override_what_sessions_need() -> None:
    environment = {**VARIABLES, "DATABASE_URL": "postgres://u@h/d"}
    assert left_by(environment) == set(VARIABLES) - {"PGDATESTYLE", "PGTZ"}


def left_by(environment: dict[str, str]) -> set[str]:
    """Return the variables that are left when the settings have been read."""
    with patch.dict(os.environ, environment):
        embedded = settings_of(environment)["EMBEDDED"] is not None
        remove_libpq_variables(embedded=embedded)
        return {name for name in os.environ if name.startswith("PG")}


def test_a_command_reaches_the_embedded_server_whatever_the_variables_are() -> None:
    assert session(**VARIABLES) == "2026-02-01|0:00:00|ISO, MDY|UTC|off"


def test_a_session_of_a_url_has_what_it_needs_whatever_the_variables_are() -> None:
    url = database_url()
    shown = session(DATABASE_URL=url, PGDATESTYLE="German", PGTZ="Asia/Tokyo", PGGEQO="off")
    assert shown == "2026-02-01|0:00:00|ISO, MDY|UTC|off"
