"""Worker health: probes of a container succeed while its workers renew their leases."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable

import pytest
import requests
from django.core.management import CommandError, call_command

from tasks.models import Worker, WorkerState
from tests.factories import make_worker
from tests.project.running import free_port
from tests.waiting import wait_until
from tests.workers import WorkerCommand

pytestmark = pytest.mark.django_db

HOST = socket.gethostname()
# Never a process: the kernel's own number.
ENDED = 0


def add_worker(
    *, host: str = HOST, silent: float = 1.0, pid: int = ENDED, state: str = WorkerState.RUNNING
) -> None:
    """Add a worker that renewed its lease so many seconds ago."""
    worker = Worker.objects.filter(pk=make_worker(silent_for=silent))
    worker.update(host=host, pid=pid, state=state)


def sentence(capsys: pytest.CaptureFixture[str]) -> str:
    """Return what the command reports of healthy workers."""
    call_command("worker_health")
    return capsys.readouterr().out


def refusal() -> str:
    """Return what the command reports of workers that are not healthy."""
    with pytest.raises(CommandError) as refused:
        call_command("worker_health")
    assert refused.value.returncode == 1
    return str(refused.value)


def test_a_worker_that_renewed_its_lease_is_healthy(capsys: pytest.CaptureFixture[str]) -> None:
    add_worker()
    assert sentence(capsys) == f"Workers on {HOST}: 1 alive.\n"


def test_a_worker_that_finishes_its_last_tasks_is_healthy(
    capsys: pytest.CaptureFixture[str],
) -> None:
    add_worker(state=WorkerState.DRAINING)
    assert sentence(capsys) == f"Workers on {HOST}: 0 alive, 1 draining.\n"


def test_a_host_without_a_worker_is_not_healthy() -> None:
    add_worker(host="elsewhere")
    add_worker(silent=60)
    assert refusal() == f"No worker on {HOST} is alive."


def test_a_process_that_was_replaced_is_not_counted(capsys: pytest.CaptureFixture[str]) -> None:
    add_worker(silent=60)
    add_worker()
    assert sentence(capsys) == f"Workers on {HOST}: 1 alive.\n"


def test_a_process_that_runs_without_a_lease_is_not_healthy() -> None:
    add_worker()
    # This one has run for longer than the lease.
    add_worker(silent=16, pid=1)
    assert refusal() == f"Workers on {HOST}: 1 alive, 1 blocked."


def test_another_process_with_the_number_of_an_ended_worker_is_not_blocked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    add_worker()
    # It renewed its lease long before the machine started.
    add_worker(silent=1e9, pid=1)
    assert sentence(capsys) == f"Workers on {HOST}: 1 alive.\n"


def probe(port: int, path: str = "/") -> requests.Response:
    return requests.get(f"http://127.0.0.1:{port}{path}", timeout=20)


def wait_for_message(port: int, message: str) -> requests.Response:
    """Return the answer with this message; the port opens a moment after the workers register."""

    def answers() -> list[requests.Response]:
        try:
            answer = probe(port)
        except requests.ConnectionError:
            return []
        # In a list, because an answer of 503 is false.
        return [answer] if answer.json()["message"] == message else []

    return wait_until(answers, what=message)[0]


@pytest.mark.django_db(transaction=True)
def test_the_port_answers_for_the_workers_of_the_machine(
    worker: Callable[..., WorkerCommand],
) -> None:
    port = free_port()
    command = worker(processes=2, WORKER_HEALTH_PORT=str(port))
    answer = wait_for_message(port, f"Workers on {HOST}: 2 alive.")
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "healthy",
        "message": f"Workers on {HOST}: 2 alive.",
        "workers": {"alive": 2, "draining": 0, "blocked": 0},
    }
    assert answer.headers["Content-Type"] == "application/json"
    assert probe(port, "/other").status_code == 404
    # A machine that is frozen stops the supervisor too, which would replace the process.
    blocked = command.pids()[0]
    for pid in (command.popen.pid, blocked):
        os.kill(pid, signal.SIGSTOP)
    try:
        answer = wait_for_message(port, f"Workers on {HOST}: 1 alive, 1 blocked.")
        assert answer.status_code == 503
        assert answer.json() == {
            "status": "unhealthy",
            "message": f"Workers on {HOST}: 1 alive, 1 blocked.",
            "workers": {"alive": 1, "draining": 0, "blocked": 1},
        }
        assert refusal() == answer.json()["message"]
    finally:
        for pid in (blocked, command.popen.pid):
            os.kill(pid, signal.SIGCONT)
    wait_for_message(port, f"Workers on {HOST}: 2 alive.")


@pytest.mark.django_db(transaction=True)
def test_commands_of_one_machine_share_the_port(worker: Callable[..., WorkerCommand]) -> None:
    port = free_port()
    first, second = (worker(WORKER_HEALTH_PORT=str(port)) for _ in range(2))
    wait_for_message(port, f"Workers on {HOST}: 2 alive.")
    first.signal(signal.SIGTERM)
    assert first.wait() == 0
    wait_for_message(port, f"Workers on {HOST}: 1 alive.")
    second.must_run()


@pytest.mark.django_db(transaction=True)
def test_a_port_that_another_program_has_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        command = WorkerCommand(WORKER_HEALTH_PORT=str(port))
        try:
            assert command.wait() == 1
            assert command.output().splitlines()[-1] == (
                f"CommandError: WORKER_HEALTH_PORT={port} on 127.0.0.1 cannot be used:"
                " Address already in use."
            )
        finally:
            command.end()
