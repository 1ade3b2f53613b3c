"""The `.env` file: its lines complete the environment, and an unclear one is refused."""

from __future__ import annotations

import os
from pathlib import Path
from unittest.mock import patch

import pytest
from django.core.exceptions import ImproperlyConfigured

from taskproject.environment import Environment


def value_in(tmp_path: Path, content: str | bytes, **environment: str) -> str:
    """Return the value of A_SETTING."""
    file = tmp_path / ".env"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with patch.dict(os.environ, environment):
        return Environment.completed_by(file).given("A_SETTING", "word")[0]


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A_SETTING=plain", "plain"),
        ("export A_SETTING=plain", "plain"),
        ("A_SETTING=$HOME/x\\n%d # e", "$HOME/x\\n%d # e"),
        ("A_SETTING='$a\\b\"c'", '$a\\b"c'),
        ('A_SETTING="$a\\\\b\\"c\'"', "$a\\b\"c'"),
        ("A_SETTING=a='b'", "a='b'"),
        ("A_SETTING=", ""),
        ("A_SETTING=''", ""),
        ("A_SETTING=it's", "it's"),
        ("\ufeffA_SETTING=after a byte order mark", "after a byte order mark"),
        ("# A_SETTING=x\n\n  \n   # indented\nA_SETTING=y\r\nOTHER=z", "y"),
        ("A_SETTING=x\nA_SETTING=the last one", "the last one"),
        ("NONE=x", ""),
    ],
)
def test_a_value_is_taken_as_it_is_written(tmp_path: Path, line: str, value: str) -> None:
    assert value_in(tmp_path, line) == value


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    assert value_in(tmp_path, "A_SETTING=file", A_SETTING="environment") == "environment"
    assert value_in(tmp_path, "A_SETTING=file", A_SETTING="") == ""


def test_the_file_may_be_missing(tmp_path: Path) -> None:
    assert Environment.completed_by(tmp_path / ".env").given("A_SETTING", "word") == (
        "", "A_SETTING",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("X=1\nA_SETTING = hunter2", "Line 2 of .env is not of the form NAME=value"),
        (" A_SETTING=hunter2", "Line 1 of .env is not of the form NAME=value"),
        ("A-SETTING=hunter2", "Line 1 of .env is not of the form NAME=value"),
        ("hunter2", "Line 1 of .env is not of the form NAME=value"),
        ("A_SETTING=hunter2\0", "Line 1 of .env is not of the form NAME=value"),
        ("A_SETTING='hunter2", "A_SETTING in line 1 of .env has a quote without its pair"),
        ("A_SETTING='hunter2' # x", "A_SETTING in line 1 of .env has a quote without its pair"),
        ("A_SETTING=\"hunter2'", "A_SETTING in line 1 of .env has a quote without its pair"),
        ("A_SETTING='", "A_SETTING in line 1 of .env has a quote without its pair"),
        ('A_SETTING="hunter2\\$x"', "A_SETTING in line 1 of .env has a quote without its pair"),
        (b"A_SETTING=hunter2\xff", ".env cannot be read (it is not UTF-8)."),
    ],
)
def test_an_unclear_line_is_refused_and_not_repeated(
    tmp_path: Path, content: str | bytes, sentence: str
) -> None:
    with pytest.raises(ImproperlyConfigured) as refused:
        value_in(tmp_path, content)
    assert str(refused.value).startswith(sentence)
    assert "hunter2" not in str(refused.value)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()
    with pytest.raises(ImproperlyConfigured, match=r"^\.env cannot be read \(Is a directory\)\.$"):
        Environment.completed_by(tmp_path / ".env")
