"""What a command prints when a setting, or the app that one names, is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project.conftest import ROOT

COMMANDS = {
    "check": ["manage.py", "check"],
    "up": ["manage.py", "up"],
    "worker": ["manage.py", "worker"],
    "web": ["-m", "taskproject.web"],
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"LOG_LEVEL": "chatty"}, "LOG_LEVEL='chatty' must be one of DEBUG, INFO,"),
        ({"EXTRA_APPS": "nosuch"}, "EXTRA_APPS: there is no app 'nosuch';"),
        ({"DATABASE_URL": "$X"}, "DATABASE_URL is not of the form postgres://"),
        (
            {"DATABASE_URL": "postgres://u@h/d", "DATABASE_DIRECT_URL": "postgres://u@h/d"},
            "DATABASE_DIRECT_URL is set, but DATABASE_URL has no pooler",
        ),
    ],
)
def test_a_command_prints_the_sentence_alone(
    command: str, environment: dict[str, str], sentence: str
) -> None:
    process = subprocess.run(
        [sys.executable, *COMMANDS[command]],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert process.returncode == 1
    assert process.stdout == ""
    assert process.stderr.startswith(sentence)
    assert process.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("code", "last_line"),
    [
        (
            "1 / 0",
            "The module shop.kinds cannot be loaded; EXTRA_APPS names the apps of your own.",
        ),
        (
            "from tasks.kinds import kind\nkind('Not A Name')(lambda input, context: None)",
            "The module shop.kinds cannot be loaded; EXTRA_APPS names the apps of your own: "
            "Invalid kind name 'Not A Name': use app.verb.",
        ),
    ],
)
def test_an_error_in_the_kinds_of_an_app_names_the_module_and_the_setting(
    code: str, last_line: str, tmp_path: Path
) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "__init__.py").touch()
    (tmp_path / "shop" / "kinds.py").write_text(code)
    process = subprocess.run(
        [sys.executable, "manage.py", "check"],
        cwd=ROOT,
        env={**os.environ, "EXTRA_APPS": "shop", "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert process.returncode == 1
    assert process.stderr.splitlines()[-1] == last_line
