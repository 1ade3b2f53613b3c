"""Log lines of refused requests: short, without a traceback, and not above WARNING."""

from __future__ import annotations

import os
import subprocess
import sys

import orjson
import pytest

REQUEST = """
import django
django.setup()
from django.test import Client
client = Client(raise_request_exception=False)
client.handler.enforce_csrf_checks = True
print(client.generic(*{arguments!r}, **{options!r}).status_code)
"""


def logged(level: str, *arguments: str, **options: str) -> tuple[str, list[dict[str, str]]]:
    """Return the status of a request in a process of its own, and what was logged."""
    command = [sys.executable, "-W", "ignore", "-c"]
    script = REQUEST.format(arguments=arguments, options=options)
    environment = {**os.environ, "LOG_JSON": "true", "LOG_LEVEL": level, "DEBUG": "false"}
    done = subprocess.run(
        [*command, script], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout.strip(), [orjson.loads(line) for line in done.stderr.splitlines()]


@pytest.mark.parametrize("host", ["evil.test", "x" * 50_000, "evil.test/x"])
def test_a_wrong_host_is_logged_in_one_short_line(host: str) -> None:
    status, lines = logged("INFO", "GET", "/", HTTP_HOST=host)
    assert status == "400"
    [line] = lines
    assert line["level"] == "warning"
    assert line["logger"] == "django.security.DisallowedHost"
    assert line["event"].startswith("request refused with 400: Invalid HTTP_HOST header")
    assert len(orjson.dumps(line)) < 500
    assert "exception" not in line


def test_other_refusals_are_logged_alike_and_hidden_above_warning() -> None:
    query = "&".join(f"x{number}=1" for number in range(1_100))
    status, lines = logged("INFO", "GET", f"/ui/tasks/?{query}", HTTP_HOST="localhost")
    assert status == "400"
    assert [line["level"] for line in lines] == ["warning"]
    assert logged("ERROR", "GET", "/", HTTP_HOST="evil.test") == ("400", [])


def test_a_refused_form_is_logged_with_its_status() -> None:
    origin = "https://elsewhere.example"
    status, [line] = logged("INFO", "POST", "/ui/login/", HTTP_HOST="localhost", HTTP_ORIGIN=origin)
    assert status == "403"
    assert line["event"].startswith("request refused with 403: Forbidden (Origin checking failed")
