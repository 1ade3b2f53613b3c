"""Long polling: one thread per process checks every task that a request waits for."""

from __future__ import annotations

import logging
import threading
import time
import uuid

from django.db import Error, connection

from tasks.models import Task
from tasks.models.task import TERMINAL

log = logging.getLogger(__name__)

# At most so many threads of a web process wait; the others serve requests.
PLACES = 8
LOOK_SECONDS = 0.05
AWAY_SECONDS = 1.0

_places = threading.BoundedSemaphore(PLACES)
_lock = threading.Lock()
_waiting: dict[uuid.UUID, set[threading.Event]] = {}


def until_ended(task_id: uuid.UUID, *, seconds: float) -> bool:
    """Wait until a task has ended or is deleted, for so many seconds at most; return True.

    Return False at once when PLACES requests already wait in this process.
    """
    if not _places.acquire(blocking=False):
        return False
    if not connection.in_atomic_block:
        # Other requests can use it meanwhile, and if it breaks while idle, no request fails.
        connection.close()
    ended = threading.Event()
    try:
        with _lock:
            _waiting.setdefault(task_id, set()).add(ended)
            _Watcher.ensure()
        ended.wait(seconds)
    finally:
        with _lock:
            _waiting[task_id].discard(ended)
            if not _waiting[task_id]:
                del _waiting[task_id]
        _places.release()
    return True


class _Watcher(threading.Thread):
    """Checks all tasks that requests wait for; ends when there are none."""

    current: _Watcher | None = None

    def __init__(self) -> None:
        super().__init__(name="waiting", daemon=True)

    @classmethod
    def ensure(cls) -> None:
        """Start the watcher if none runs; the caller holds the lock."""
        if cls.current is None or not cls.current.is_alive():
            cls.current = cls()
            cls.current.start()

    def run(self) -> None:
        """Wake the requests of tasks that have ended; go on when the database is back."""
        while awaited := self._awaited():
            try:
                alive = _alive(list(awaited))
            except Error as error:
                log.warning(
                    "could not check the tasks that long-polling requests wait for; trying again",
                    extra={"error": type(error).__name__},
                )
                connection.close()
                time.sleep(AWAY_SECONDS)
                continue
            for task_id in awaited.keys() - alive:
                for ended in awaited[task_id]:
                    ended.set()
            time.sleep(LOOK_SECONDS)
        connection.close()

    def _awaited(self) -> dict[uuid.UUID, list[threading.Event]]:
        with _lock:
            if not _waiting:
                _Watcher.current = None
            return {task_id: list(events) for task_id, events in _waiting.items()}


def _alive(ids: list[uuid.UUID]) -> set[uuid.UUID]:
    alive = Task.objects.filter(pk__in=ids).exclude(status__in=TERMINAL)
    return set(alive.values_list("pk", flat=True))
