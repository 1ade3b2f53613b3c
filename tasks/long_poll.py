"""Waiting for tasks to end: of all who wait in a process, one thread asks for all."""

from __future__ import annotations

import logging
import threading
import time
import uuid

from django.db import Error, connection

from tasks.models import Task
from tasks.models.task import TERMINAL

log = logging.getLogger(__name__)

# Of each web process's threads, so many wait at most; the others serve.
PLACES = 8
LOOK_SECONDS = 0.05
AWAY_SECONDS = 1.0

_places = threading.BoundedSemaphore(PLACES)
_lock = threading.Lock()
_waiting: dict[uuid.UUID, set[threading.Event]] = {}


def until_ended(task_id: uuid.UUID, *, seconds: float) -> bool:
    """Return when a task has ended, is gone, or after so many seconds.

    False, and at once, when as many wait in this process as may.
    """
    if not _places.acquire(blocking=False):
        return False
    if not connection.in_atomic_block:
        # Others may have it meanwhile; and one that breaks while nobody uses it breaks no answer.
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
    """Looks for all that is waited for, while anything is."""

    current: _Watcher | None = None

    def __init__(self) -> None:
        super().__init__(name="waiting", daemon=True)

    @classmethod
    def ensure(cls) -> None:
        """Have somebody look; the caller holds the lock."""
        if cls.current is None or not cls.current.is_alive():
            cls.current = cls()
            cls.current.start()

    def run(self) -> None:
        """Wake whoever waits for what is no longer alive; the database's absences are sat out."""
        while asked := self._asked():
            try:
                alive = _alive(list(asked))
            except Error as error:
                log.warning("waiting for the database", extra={"error": type(error).__name__})
                connection.close()
                time.sleep(AWAY_SECONDS)
                continue
            for task_id in asked.keys() - alive:
                for ended in asked[task_id]:
                    ended.set()
            time.sleep(LOOK_SECONDS)
        connection.close()

    def _asked(self) -> dict[uuid.UUID, list[threading.Event]]:
        with _lock:
            if not _waiting:
                _Watcher.current = None
            return {task_id: list(events) for task_id, events in _waiting.items()}


def _alive(ids: list[uuid.UUID]) -> set[uuid.UUID]:
    alive = Task.objects.filter(pk__in=ids).exclude(status__in=TERMINAL)
    return set(alive.values_list("pk", flat=True))
