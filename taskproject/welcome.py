"""Welcome: `up` shows the addresses once everything runs, and at the first start a first task."""

from __future__ import annotations

import json
import logging
import secrets
import sys
import time
from collections.abc import Callable
from io import TextIOWrapper
from typing import Any

import requests
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import transaction

import tasks
from taskproject.addresses import Addresses
from tasks.models import Task

log = logging.getLogger(__name__)

KIND = "text.analyze"
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
    """Show that the system works, and its addresses; return the exit code of the child.

    Nothing depends on it, so a failure is only logged and the code is always 0.
    """
    if isinstance(sys.stdout, TextIOWrapper):
        # A terminal or file may be unable to show a character.
        sys.stdout.reconfigure(errors="backslashreplace")
    addresses = Addresses.of_settings()
    for show in (_show_first_task, _show_addresses):
        try:
            show(addresses)
        except Exception:
            log.warning("a part of the welcome failed; everything else runs", exc_info=True)
    return 0


def _show_first_task(addresses: Addresses) -> None:
    with requests.Session() as session:
        # A proxy of the environment is not used for our own machine.
        session.trust_env = False
        session.headers["Host"] = addresses.host_header
        if settings.HTTPS:
            # What the site's proxy says; without it the answer is a redirect off this machine.
            session.headers["X-Forwarded-Proto"] = "https"
        if not _becomes_ready(session, addresses.local):
            _print(f"Not ready within {READY_TIMEOUT:g} s: see {addresses.local}/health")
        elif _is_first_start():
            _show_sample(session, addresses.local)


def _is_first_start() -> bool:
    """Return whether a newcomer looks on: an operator's database gets no task of ours."""
    return settings.EMBEDDED is not None and not Task.objects.exists()


def _becomes_ready(session: requests.Session, base: str) -> bool:
    deadline = time.monotonic() + READY_TIMEOUT
    while time.monotonic() < deadline:
        try:
            ready = session.get(f"{base}/health/ready", timeout=5, allow_redirects=False)
            if ready.status_code == 200:
                return True
        except requests.RequestException:
            pass
        time.sleep(POLL)
    return False


def _show_sample(session: requests.Session, base: str) -> None:
    if settings.API_ALLOW_ANONYMOUS or settings.API_OPEN_TO_THIS_MACHINE:
        _print('\n  POST /v1/tasks {"text": "A queue is a promise. …"}')
        accepted = session.post(
            f"{base}/v1/tasks", json={"text": SAMPLE}, timeout=10, allow_redirects=False
        )
        accepted.raise_for_status()
        url = f"{base}/v1/tasks/{accepted.json()['task_id']}"
        answer = _follow(lambda: session.get(url, timeout=10, allow_redirects=False).json())
    else:
        _print(f'\n  tasks.submit("{KIND}", {{"text": "A queue is a promise. …"}})')
        task = tasks.submit(KIND, {"text": SAMPLE})
        answer = _follow(lambda: _answer(Task.objects.get(pk=task.pk)))
    outcome = answer["result"] or answer["error"]
    timed_out = f"after {RESULT_TIMEOUT:g} s: see {base}/health for queues and workers"
    _print(f"  {answer['status']} {json.dumps(outcome) if outcome else timed_out}")


def _follow(fetch: Callable[[], Answer]) -> Answer:
    deadline = time.monotonic() + RESULT_TIMEOUT
    while (answer := fetch())["status"] in UNFINISHED and time.monotonic() < deadline:
        time.sleep(POLL)
    return answer


def _answer(task: Task) -> Answer:
    return {"status": task.status, "result": task.result, "error": task.error}


def _show_addresses(addresses: Addresses) -> None:
    # A password that could not be shown is not kept.
    with transaction.atomic():
        password = ensure_superuser()
        once = f"   admin / {password}   (shown only this once)" if password else ""
        base = addresses.public
        lines = [
            "",
            f"API      {base}/api/v1/tasks/{_who_needs_no_key()}",
            f"Docs     {base}/docs",
            f"Pages    {base}/",
            f"Console  {base}/admin/{once}",
            *(["", addresses.elsewhere] if addresses.elsewhere else []),
            "",
            "Ctrl-C stops everything.",
            "",
        ]
        _print("\n".join(f"  {line}".rstrip() for line in lines))


def _who_needs_no_key() -> str:
    if settings.API_ALLOW_ANONYMOUS:
        return "   (no key is needed by anyone: API_ALLOW_ANONYMOUS)"
    if settings.API_OPEN_TO_THIS_MACHINE:
        return "   (no key is needed from this machine; API_ALLOW_ANONYMOUS=false requires keys)"
    return ""


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


def _print(text: str) -> None:
    print(text, flush=True)  # noqa: T201
