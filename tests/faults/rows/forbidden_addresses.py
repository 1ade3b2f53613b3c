"""Forbidden callback addresses, which only the server can reach: S08."""

from __future__ import annotations

import selectors
import socket
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import requests

from tasks import lifecycle
from tasks.lifecycle.preparation import prepare
from tasks.models import Status, Task
from tests.callbacks.receiver import receiver
from tests.callbacks.test_addresses import FORBIDDEN_HOSTS, FORBIDDEN_URLS
from tests.faults.harness.callbacks import (
    KIND,
    start_senders,
    submit_with_callback,
    wait_until_callbacks_end,
)
from tests.faults.harness.row import Dice, Measured, NotRun, row
from tests.faults.harness.system import System
from tests.faults.names import ANSWERS, ZONE
from tests.waiting import wait_until

# The ports that callbacks may use; the canary listens on one of them.
PORTS = (8443, 443)
REDIRECTED = 20
APPS = "tests.script,tests.faults.names"


class Canary:
    """Listens on loopback and counts connections."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.hits = 0
        self._listeners = [
            socket.create_server(("127.0.0.1", port)),
            socket.create_server(("::1", port), family=socket.AF_INET6),
        ]
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="canary", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._stopped.set()
        self._thread.join()
        for listener in self._listeners:
            listener.close()

    def _listen(self) -> None:
        with selectors.DefaultSelector() as selector:
            for endpoint in self._listeners:
                selector.register(endpoint, selectors.EVENT_READ)
            while not self._stopped.is_set():
                for key, _ in selector.select(0.1):
                    listener: socket.socket = key.fileobj  # type: ignore[assignment]
                    listener.accept()[0].close()
                    self.hits += 1


@row(
    "S08",
    title=f"{len(FORBIDDEN_HOSTS)} forbidden hosts in all spellings, {len(FORBIDDEN_URLS)} URLs, "
    "names that resolve to private addresses, a rebinding name, redirects to private addresses",
    promise="refused at save and at connect",
    target="canary hits 0",
    limit=300,
)
def forbidden_addresses(system: System, dice: Dice) -> Measured:
    """Submit each over HTTP, write each into a row past the check, and watch the canary."""
    with _canary() as canary:
        hosts = [f"https://{host}:{canary.port}/hook" for host in FORBIDDEN_HOSTS]
        names = [f"https://{name}{ZONE}:{canary.port}/hook" for name in ANSWERS]
        saved = _saved(system, [*hosts, *FORBIDDEN_URLS])
        workers = system.workers(processes=1, concurrency=8, EXTRA_APPS=APPS)
        ended = _called(system, [*hosts, *names])
        workers.end()
        redirected = _redirected(system, canary.port)
        hits = canary.hits
        # Prove that the canary can be hit.
        socket.create_connection(("127.0.0.1", canary.port)).close()
        wait_until(lambda: canary.hits > hits, what="the canary is hit")
    tried = len(hosts) + len(names)
    return Measured(
        f"{saved} of {len(hosts) + len(FORBIDDEN_URLS)} accepted at save; {tried} put into rows "
        f"past the check, with names that resolve to private addresses: {_counted(ended)}; "
        f"{redirected} redirects to private addresses received; canary hits {hits}",
        met=not saved and not hits and ended[Status.FAILED] == tried and redirected == REDIRECTED,
    )


@contextmanager
def _canary() -> Iterator[Canary]:
    for port in PORTS:
        try:
            canary = Canary(port)
        except OSError:
            continue
        try:
            yield canary
        finally:
            canary.close()
        return
    raise NotRun(f"none of the ports {PORTS} is free on loopback")


def _saved(system: System, urls: Sequence[str]) -> int:
    """Submit tasks with these callback URLs over HTTP; return how many were accepted."""
    web, accepted = system.web(), 0
    for url in urls:
        # An empty URL would mean no callback.
        body = {"kind": "test.script", "callback_url": url or " "}
        answer = requests.post(f"{web.url}/api/v1/tasks/", json=body, timeout=30)
        accepted += answer.status_code != 400
    web.command.end()
    return accepted


def _called(system: System, urls: Sequence[str]) -> Counter[str]:
    """Write these URLs into rows and let workers call them; return how the calls ended."""
    lifecycle.pause_queue("default")
    submissions = [
        prepare("test.script", callback_url="https://example.com/") for _ in range(len(urls))
    ]
    for id, url in zip(system.submit(submissions), urls, strict=True):
        Task.objects.filter(pk=id).update(callback_url=url)
    lifecycle.resume_queue("default")
    wait_until_callbacks_end(system)
    return Counter(Task.objects.filter(kind=KIND).values_list("status", flat=True))


def _redirected(system: System, port: int) -> int:
    """Redirect callbacks to the canary first; return how many completed afterwards."""
    before = Task.objects.filter(kind=KIND).count()
    with receiver() as target:
        target.answers = [f"307 Elsewhere\nLocation: http://127.0.0.1:{port}/"]
        workers = start_senders(system, concurrency=8)
        submit_with_callback(system, target.url("/"), REDIRECTED)
        wait_until(
            lambda: len({request.id for request in target.received}) >= REDIRECTED, what="redirects"
        )
        target.answers = ["200 Yes"]
        wait_until_callbacks_end(system)
        workers.end()
    done = Task.objects.filter(kind=KIND, status=Status.COMPLETED).count()
    assert Task.objects.filter(kind=KIND).count() == before + done
    return done


def _counted(ended: Counter[str]) -> str:
    return ", ".join(f"{count} {status}" for status, count in sorted(ended.items()))
