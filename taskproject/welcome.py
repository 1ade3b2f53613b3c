"""Welcome: `up` shows a first task, its result and the addresses once everything runs."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable
from typing import Any

import requests
from django.conf import settings
from django.contrib.auth import get_user_model
from django.http.request import validate_host

import tasks
from tasks.models import Task

SAMPLE = (
    "A queue is a promise. Each task that is put into the queue is kept, a worker takes the task "
    "from the queue, and the result of the task is written down once. Workers may stop, machines "
    "may stop; the promise stays, because the queue and the result live in one database, and the "
    "database keeps its promise."
)
READY_TIMEOUT = 60.0
RESULT_TIMEOUT = 30.0
POLL = 0.1
UNFINISHED = {"PENDING", "PROCESSING"}

Answer = dict[str, Any]


def welcome() -> int:
    """Show that the system works, and its addresses; return the exit code of the child."""
    with requests.Session() as session:
        # A proxy of the environment is not used for our own machine.
        session.trust_env = False
        session.headers["Host"] = _host_header()
        if not _becomes_ready(session):
            _print(f"Not ready within {READY_TIMEOUT:g} s: see {_base()}/health")
            return 1
        _show_sample(session)
    _show_addresses(ensure_superuser())
    return 0


def ensure_superuser() -> str | None:
    """Create the superuser `admin` when there is none; return its password, shown only now."""
    users = get_user_model()._default_manager
    if users.filter(is_superuser=True, is_active=True).exists():
        return None
    if users.filter(username="admin").exists():
        _print("There is no superuser, and `admin` is another user: run manage.py createsuperuser")
        return None
    password = secrets.token_urlsafe(12)
    users.create_superuser(username="admin", email="", password=password)
    return password


def _becomes_ready(session: requests.Session) -> bool:
    deadline = time.monotonic() + READY_TIMEOUT
    while time.monotonic() < deadline:
        try:
            if session.get(f"{_base()}/health/ready", timeout=5).status_code == 200:
                return True
        except requests.ConnectionError:
            pass
        time.sleep(POLL)
    return False


def _show_sample(session: requests.Session) -> None:
    if settings.API_ALLOW_ANONYMOUS:
        _print('\n  POST /v1/tasks {"text": "A queue is a promise. …"}')
        accepted = session.post(f"{_base()}/v1/tasks", json={"text": SAMPLE}, timeout=10)
        accepted.raise_for_status()
        url = f"{_base()}/v1/tasks/{accepted.json()['task_id']}"
        answer = _follow(lambda: session.get(url, timeout=10).json())
    else:
        _print('\n  tasks.submit("text.analyze", {"text": "A queue is a promise. …"})')
        task = tasks.submit("text.analyze", {"text": SAMPLE})
        answer = _follow(lambda: _answer(Task.objects.get(pk=task.pk)))
    outcome = answer["result"] or answer["error"]
    timed_out = f"after {RESULT_TIMEOUT:g} s: see {_base()}/health for queues and workers"
    _print(f"  {answer['status']} {json.dumps(outcome) if outcome else timed_out}")


def _follow(fetch: Callable[[], Answer]) -> Answer:
    deadline = time.monotonic() + RESULT_TIMEOUT
    while (answer := fetch())["status"] in UNFINISHED and time.monotonic() < deadline:
        time.sleep(POLL)
    return answer


def _answer(task: Task) -> Answer:
    return {"status": task.status, "result": task.result, "error": task.error}


def _show_addresses(password: str | None) -> None:
    once = f"   admin / {password}   (shown only this once)" if password else ""
    _print(
        f"\n  API      {_base()}/api/v1/tasks/"
        f"\n  Docs     {_base()}/docs"
        f"\n  Pages    {_base()}/"
        f"\n  Console  {_base()}/admin/{once}"
        "\n\n  Ctrl-C stops everything.\n"
    )


def _base() -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(settings.HOST, settings.HOST)  # noqa: S104
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.PORT}"


def _host_header() -> str:
    """Return a host name that ALLOWED_HOSTS accepts, for any address of the site."""
    address = _base().removeprefix("http://")
    name = address.rsplit(":", 1)[0]
    allowed: list[str] = settings.ALLOWED_HOSTS
    return address if validate_host(name, allowed) else allowed[0].lstrip(".")


def _print(text: str) -> None:
    print(text, flush=True)  # noqa: T201
