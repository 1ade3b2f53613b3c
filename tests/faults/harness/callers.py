"""HTTP clients, each in a thread: they submit tasks and record the answers."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import requests

from tests.faults.harness.ledger import Accepted
from tests.faults.harness.system import System

# Longer than any answer may take; after that the server counts as hung.
PATIENCE = 150.0
NO_ANSWER = 0


@dataclass(frozen=True)
class Answer:
    """The answer to one request; times by the monotonic clock, status 0 for no answer."""

    at: float
    seconds: float
    status: int
    retry_after: str | None


class Callers:
    """`count` clients that submit one task after another, `pause` seconds apart."""

    def __init__(
        self,
        url: str,
        accepted: Accepted,
        *,
        count: int = 4,
        pause: float = 0.05,
        body: Callable[[], dict[str, Any]] = lambda: {"kind": "test.effect", "input": {}},
        repeat: bool = False,
    ) -> None:
        self._url = f"{url}/api/v1/tasks/"
        self._accepted = accepted
        self._pause = pause
        self._body = body
        # Repeat with the same idempotency key until the task is accepted.
        self._repeat = repeat
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._call, daemon=True) for _ in range(count)]
        self.answers: list[Answer] = []

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def statuses(self, *, since: float = 0.0, until: float = float("inf")) -> Counter[int]:
        """Count the answers that came in a span of the monotonic clock, by status."""
        return Counter(
            answer.status
            for answer in list(self.answers)
            if since <= answer.at + answer.seconds <= until
        )

    def _call(self) -> None:
        with requests.Session() as session:
            while not self._stopped.wait(self._pause):
                key = uuid.uuid4().hex
                body = {**self._body(), "metadata": {"key": key}}
                while not self._post(session, body, key) and self._repeat:
                    if self._stopped.wait(self._pause):
                        return

    def _post(self, session: requests.Session, body: dict[str, Any], key: str) -> bool:
        at = time.monotonic()
        headers = {"Idempotency-Key": key}
        try:
            answer = session.post(self._url, json=body, headers=headers, timeout=PATIENCE)
        except requests.RequestException:
            self.answers.append(Answer(at, time.monotonic() - at, NO_ANSWER, None))
            return False
        is_accepted = answer.status_code in (200, 202)
        if is_accepted:
            self._accepted.add([answer.json()["task_id"]])
        after = answer.headers.get("Retry-After")
        self.answers.append(Answer(at, time.monotonic() - at, answer.status_code, after))
        return is_accepted


def uncompleted(system: System) -> int:
    """Return how many accepted tasks have not completed; other tasks do not count."""
    return int(
        system.queries.value(
            "SELECT count(*) FROM unnest(%(accepted)s::uuid[]) AS accepted (id) WHERE NOT EXISTS ("
            " SELECT FROM tasks_task AS task WHERE task.id = accepted.id AND status = 'COMPLETED')",
            {"accepted": system.accepted.ids()},
        )
    )
