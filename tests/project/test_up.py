"""`manage.py up`: starts everything, shows that it works, survives kills, leaves no process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.project.conftest import ROOT, open_directory
from tests.project.running import Up, free_port, up
from tests.project.test_misspelt_settings import SENTENCE
from tests.project.waiting import wait_gone
from tests.waiting import wait_until

pytestmark = pytest.mark.xdist_group("up")


def test_up_shows_a_result_keeps_the_data_and_leaves_no_process(open_dir: Path) -> None:
    with up(open_dir / "data") as first:
        first.wait_until_started()
        assert 'COMPLETED {"' in first.output
        assert f"http://127.0.0.1:{first.port}/docs" in first.output
        assert first.password()
        task_id = first.submit("to be or not to be")
        wait_until(lambda: first.task(task_id)["status"] == "COMPLETED")
        task = first.task(task_id)
        processes = first.processes()
        assert first.stop() == 0
        wait_gone(processes, within=1)
        assert first.sockets() == []
    with up(open_dir / "data") as second:
        second.wait_until_started()
        assert second.task(task_id) == task
        assert second.password() is None
        # Only a newcomer is shown a task.
        assert "COMPLETED" not in second.output
        assert second.stop(signal.SIGINT) == 0
        assert "Traceback" not in second.output, second.output


def test_a_killed_up_ends_every_process_and_can_start_again(open_dir: Path) -> None:
    with up(open_dir / "data") as first:
        first.wait_until_started()
        processes = first.processes()
        first.popen.kill()
        wait_gone(processes, within=15)
    with up(open_dir / "data") as second:
        second.wait_until_started()
        assert second.stop() == 0


def test_a_killed_child_is_restarted(open_dir: Path) -> None:
    with up(open_dir / "data") as running:
        running.wait_until_started()
        for part in ("bin/postgres", "granian", "manage.py worker"):
            killed = running.pid_of(part)
            os.kill(killed, signal.SIGKILL)
            wait_gone([killed])
            wait_until(lambda: running.completes("the cat and the dog"), what=f"{part} is back")
            assert running.pid_of(part) != killed
        processes = running.processes()
        assert running.stop() == 0
        wait_gone(processes, within=1)


@pytest.mark.parametrize("moment", ["postgres -D", "granian", "POST /v1/tasks"])
def test_ctrl_c_during_the_start_leaves_no_process(open_dir: Path, moment: str) -> None:
    with up(open_dir / "data") as running:
        wait_until(lambda: moment in running.commands() + running.output, what=moment)
        processes = running.processes()
        os.killpg(running.popen.pid, signal.SIGINT)
        assert running.popen.wait(45) == 0
        wait_gone(processes, within=1)
        assert running.sockets() == []


def test_up_on_localhost_submits_its_sample_without_the_api_when_keys_are_required(
    open_dir: Path,
) -> None:
    with up(open_dir / "data", API_ALLOW_ANONYMOUS="false", HOST="localhost") as running:
        running.wait_until_started()
        assert f"http://localhost:{running.port}/docs" in running.output
        assert 'tasks.submit("text.analyze"' in running.output
        assert 'COMPLETED {"' in running.output
        assert running.stop() == 0


SITE = {
    "HTTPS": "true",
    "ALLOWED_HOSTS": "tasks.example.com",
    "CSRF_TRUSTED_ORIGINS": "https://tasks.example.com",
}


@pytest.mark.parametrize("anonymous", ["true", ""])
def test_up_starts_behind_a_proxy_with_tls_and_calls_no_other_machine(
    open_dir: Path, anonymous: str
) -> None:
    with up(open_dir / "data", API_ALLOW_ANONYMOUS=anonymous, **SITE) as running:
        running.wait_until_started()
        assert 'COMPLETED {"' in running.output
        assert "Docs     https://tasks.example.com/docs" in running.output
        assert ("no key is needed" in running.output) == bool(anonymous)
        assert "Traceback" not in running.output, running.output
        assert running.stop() == 0


@pytest.fixture(scope="module")
def newcomer() -> Iterator[Up]:
    """Return a running `up` without settings, except for a misspelt one, on an ASCII terminal."""
    environment = {
        "API_ALLOW_ANONYMOUS": "",
        "SECRET_KEY": "",
        "PYTHONIOENCODING": "ascii",
        "WORKER_CONCURENCY": "2",
    }
    with open_directory() as directory, up(directory / "data", **environment) as running:
        running.wait_until_started()
        yield running
        assert running.stop() == 0


def test_up_says_that_this_machine_needs_no_key(newcomer: Up) -> None:
    assert "(no key is needed from this machine; API_ALLOW_ANONYMOUS=false" in newcomer.output
    assert newcomer.completes("to be or not to be")
    url = f"http://127.0.0.1:{newcomer.port}/v1/tasks"
    forwarded = {"X-Forwarded-For": "203.0.113.1"}
    refused = requests.post(url, json={"text": "a b"}, headers=forwarded, timeout=10)
    assert refused.status_code == 401
    assert http_1_0(newcomer.port, "/api/v1/tasks/").startswith(b"HTTP/1.0 401")


def test_up_shows_its_first_task_where_the_output_is_ascii(newcomer: Up) -> None:
    assert 'A queue is a promise. \\u2026"}' in newcomer.output
    assert 'COMPLETED {"' in newcomer.output


def test_up_reports_a_misspelt_setting_once_for_all_its_processes(newcomer: Up) -> None:
    assert newcomer.output.count(SENTENCE) == 1
    assert newcomer.output.index(SENTENCE) < newcomer.output.index("POST /v1/tasks")


def http_1_0(port: int, path: str) -> bytes:
    """Return the answer to a request as nginx sends it by default."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        request = f"GET {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode())
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_a_welcome_that_cannot_be_shown_stops_nothing(open_dir: Path) -> None:
    broken = open_dir / "path"
    broken.mkdir()
    # A stand-in for whatever may go wrong: the library that the check uses does not work.
    (broken / "sitecustomize.py").write_text(
        "import requests\n"
        "def fail(*_, **__): raise OSError(28, 'No space left on device')\n"
        "requests.Session.get = fail\n"
    )
    environment = {"PYTHONPATH": str(broken), "PYTHONIOENCODING": "ascii"}
    with up(open_dir / "data", **environment) as running:
        running.wait_until_started()
        assert "a part of the welcome failed; everything else runs" in running.output
        wait_until(lambda: running.completes("to be or not to be"), what="it works")
        assert running.stop() == 0


@pytest.mark.parametrize("redirect", [">/dev/full", ">&- 2>&- <&-"])
def test_an_output_that_is_full_or_closed_stops_nothing(open_dir: Path, redirect: str) -> None:
    with up(open_dir / "data", redirect=redirect) as running:
        wait_until(lambda: running.completes("to be or not to be"), within=60, what="it works")
        assert running.stop() == 0
        assert "Stopped" not in running.output


def test_up_exits_when_the_web_server_dies_at_each_start(open_dir: Path) -> None:
    broken = open_dir / "path" / "granian"
    broken.mkdir(parents=True)
    (broken / "__init__.py").touch()
    (broken / "__main__.py").write_text("raise SystemExit(3)")
    with up(open_dir / "data", PYTHONPATH=str(broken.parent)) as running:
        assert running.popen.wait(60) == 1
        assert "Stopped: web ended with exit code 3 at the start." in running.output
        assert running.sockets() == []


def test_up_exits_and_prints_the_log_when_the_database_dies_at_each_start(open_dir: Path) -> None:
    with up(open_dir / "data") as first:
        first.wait_until_started()
        first.stop()
    with (open_dir / "data" / "postgres" / "18" / "postgresql.conf").open("a") as settings:
        settings.write("no_such_parameter = 1\n")
    with up(open_dir / "data") as second:
        assert second.popen.wait(60) == 1
        assert "Stopped: postgres ended with exit code 1 at the start." in second.output
        assert 'unrecognized configuration parameter "no_such_parameter"' in second.output


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        (
            {"HOST": "192.0.2.1", "API_ALLOW_ANONYMOUS": "false"},
            "The web server cannot listen on 192.0.2.1 (",
        ),
        (
            {"HOST": "no.such.host.invalid", "API_ALLOW_ANONYMOUS": "false"},
            "HOST='no.such.host.invalid' is not a name that has an address.",
        ),
        ({"DATABASE_URL": "postgres://a:b@127.0.0.1:1/x"}, "cannot be reached"),
        ({"DATA_DIR": "/dev/null/data"}, "cannot be written"),
    ],
)
def test_up_reports_an_invalid_setting_in_one_line(
    environment: dict[str, str], sentence: str
) -> None:
    output = _refused({"PORT": str(free_port()), **environment})
    assert sentence in output
    assert "Traceback" not in output, output
    assert output.count("\n") == 1


def test_up_reports_a_port_in_use_in_one_line(open_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        output = _refused({"PORT": str(port), "DATA_DIR": str(open_dir)})
    assert output.startswith(f"CommandError: Port {port} on 127.0.0.1 is in use")
    assert output.count("\n") == 1


def _refused(environment: dict[str, str]) -> str:
    """Return the output of a start that fails."""
    process = subprocess.run(
        [sys.executable, "manage.py", "up"],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert process.returncode == 1
    return process.stdout + process.stderr
