"""`manage.py up`: starts everything, shows that it works, survives kills, leaves no process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.project.conftest import ROOT
from tests.project.running import free_port, up
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
        assert second.stop(signal.SIGINT) == 0
        assert "Traceback" not in second.output


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


def test_up_submits_its_sample_without_the_api_when_keys_are_required(open_dir: Path) -> None:
    with up(open_dir / "data", API_ALLOW_ANONYMOUS="false") as running:
        running.wait_until_started()
        assert 'tasks.submit("text.analyze"' in running.output
        assert 'COMPLETED {"' in running.output
        assert running.stop() == 0


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
            "The web server cannot listen on HOST='192.0.2.1'",
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
    assert "Traceback" not in output
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
