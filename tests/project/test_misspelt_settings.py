"""Misspelt names: a name that resembles a setting is reported, and no other."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import pytest

from taskproject import settings
from taskproject.environment import Environment
from taskproject.misspelt import CONTAINERS, misspelt
from tests.project.conftest import ROOT
from tests.project.settings_file import settings_of

KNOWN = {*settings.env.types, *CONTAINERS}
SENTENCE = (
    "WORKER_CONCURENCY in the environment is not a setting and has no effect: "
    "is WORKER_CONCURRENCY meant?"
)
MISSPELT = {
    "WORKER_CONCURENCY": "WORKER_CONCURRENCY",
    "EXTRA_APP": "EXTRA_APPS",
    "DATABSE_URL": "DATABASE_URL",
    "ALLOWED_HOST": "ALLOWED_HOSTS",
    "RETENTION_COMPLETE_DAYS": "RETENTION_COMPLETED_DAYS",
    "POSTGRES_PASSWORT": "POSTGRES_PASSWORD",
    "CALLBACK_SECRETS": "CALLBACK_SECRET",
    "Secret_Key": "SECRET_KEY",
    "debug": "DEBUG",
}
# What systems, shells, containers, CI and common libraries set.
FOREIGN = """
    HOSTNAME HOST_IP HOSTS HOSTTYPE HOST_NAME PORTS PORT0 PGHOST PGPORT PGPASSWORD PGDATABASE
    PATH HOME USER HTTP HTTP_PROXY HTTPS_PROXY http_proxy NO_PROXY HTTP_HOST HTTPS_PORT LANG
    LC_ALL TZ TERM SHELL PWD DEBUGGER DEBUG_MODE DEBUGINFOD_URLS DJANGO_SETTINGS_MODULE
    DJANGO_SECRET_KEY SECRET SECRET_KEY_BASE PYTHONPATH PYTHONUNBUFFERED VIRTUAL_ENV
    XDG_DATA_DIRS XDG_DATA_HOME DATA_HOME DATA DATABASE DATABASE_HOST DATABASE_NAME
    DATABASE_USER POSTGRES_USER POSTGRES_DB POSTGRES_HOST REDIS_URL REDIS_HOST CACHE_DIR
    CACHE_TTL PIP_CACHE_DIR PIP_NO_CACHE_DIR CELERY_BROKER_URL CELERY_RESULT_BACKEND
    KUBERNETES_SERVICE_HOST KUBERNETES_PORT TASKS_SERVICE_HOST TASKS_PORT WORKER_PORT WORKER_ID
    WORKERS WEB_CONCURRENCY GOOGLE_APPLICATION_CREDENTIALS GOOGLE_CLIENT_ID GOOGLE_CLIENT_SECRET
    FACEBOOK_APP_ID FACEBOOK_PAGE_ID OPENAI_API_KEY OPENAI_BASE_URL ANTHROPIC_API_KEY
    GITHUB_TOKEN GITHUB_ACTIONS CI RUNNER_TEMP LOG_FORMAT LOG_FILE LOGNAME SSH_AUTH_SOCK
    ALLOWED_ORIGINS CORS_ALLOWED_ORIGINS CSRF_COOKIE_SECURE FAKE_LLM FAULTS_RUN
    COMPOSE_PROJECT_NAME MEMORY_LIMIT CPU_LIMIT TASK_ID TASK_SLOT TIME_LIMIT APPS EXTRA_ARGS
    NODE_EXTRA_CA_CERTS OTEL_EXPORTER_OTLP_METRICS_ENDPOINT OTEL_EXPORTER_OTLP_LOGS_ENDPOINT
""".split()  # noqa: SIM905


@pytest.mark.parametrize(("name", "nearest"), MISSPELT.items())
@pytest.mark.parametrize("where", [".env", "the environment"])
def test_a_misspelt_name_is_reported_with_the_nearest(name: str, nearest: str, where: str) -> None:
    in_file = {name} if where == ".env" else set()
    assert misspelt([name], known=KNOWN, in_file=in_file) == [
        f"{name} in {where} is not a setting and has no effect: is {nearest} meant?"
    ]


@pytest.mark.parametrize("in_file", [False, True])
def test_the_names_of_other_programs_are_not_reported(in_file: bool) -> None:
    reported = misspelt(FOREIGN, known=KNOWN, in_file=FOREIGN if in_file else ())
    assert reported == []


def test_no_setting_is_reported() -> None:
    assert misspelt(KNOWN, known=KNOWN, in_file=KNOWN) == []


def test_a_name_of_the_environment_is_not_reported_where_the_setting_is_set() -> None:
    names = ["DATABASE_URI", "DATABASE_URL"]
    assert misspelt(names, known=KNOWN, in_file=()) == []
    assert len(misspelt(names, known=KNOWN, in_file=["DATABASE_URI"])) == 1


def test_a_name_of_the_file_is_told_from_one_of_the_environment(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("EXTRA_APP=x\nUNRELATED=y\n")
    with patch.dict(os.environ):
        env = Environment.completed_by(tmp_path / ".env")
        env.given("EXTRA_APPS", "apps")
        assert env.misspelt(()) == [
            "EXTRA_APP in .env is not a setting and has no effect: is EXTRA_APPS meant?"
        ]


def test_the_settings_hold_the_sentences() -> None:
    assert settings_of({"WORKER_CONCURENCY": "2"})["MISSPELT_SETTINGS"] == [SENTENCE]
    assert settings_of({})["MISSPELT_SETTINGS"] == []


@pytest.mark.parametrize(
    "command",
    [
        ["manage.py", "check"],
        ["manage.py", "worker", "--queues", ","],
        ["-c", "import os; os.execv = print; from taskproject.web import main; main()"],
    ],
    ids=["check", "worker", "web"],
)
def test_a_process_reports_the_name_once(command: list[str]) -> None:
    process = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={**os.environ, "WORKER_CONCURENCY": "2"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert process.stderr.count(SENTENCE) == 1
