"""Siblings: what the worker processes of one supervisor share.

One of them listens to the database for all, so that a submit wakes one process and not every one:
each process that PostgreSQL must notify costs it as much as a small statement. It informs the
others through pipes, which the supervisor makes before it starts them.
"""

from __future__ import annotations

import fcntl
import os
import select
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_UUID_BYTES = 16
_READ_BYTES = 64 * _UUID_BYTES


class Siblings:
    """The pipes and the lock of so many processes; made before they are forked."""

    def __init__(self, count: int) -> None:
        # Jobs that may wait: read by one process that has a free slot, whichever it is.
        self._jobs = _pipe()
        # Tasks to cancel: every process gets each of them.
        self._cancels = [_pipe() for _ in range(count)]
        self._lock = _nameless_file()

    def member(self, number: int) -> Member:
        """Return what the process with this number, from 0, uses."""
        return Member(jobs=self._jobs, cancels=self._cancels, number=number, lock=self._lock)


class Member:
    """The siblings, as one of them sees them."""

    def __init__(
        self, *, jobs: tuple[int, int], cancels: list[tuple[int, int]], number: int, lock: int
    ) -> None:
        self.jobs_reader, self._jobs_writer = jobs
        self.cancels_reader = cancels[number][0]
        self._cancel_writers = [writer for _, writer in cancels]
        self._lock = lock

    def lead(self) -> None:
        """Wait until no other process leads, then lead until this process ends."""
        # The kernel gives the lock on when a process ends, however it ends.
        fcntl.lockf(self._lock, fcntl.LOCK_EX)

    def announce_jobs(self) -> None:
        """Wake one process that has a free slot; if none has, the first that has one again."""
        _write(self._jobs_writer, b"j")

    def pass_on(self) -> None:
        """Wake another process, because more jobs may wait than this one has claimed."""
        if not select.select([self.jobs_reader], [], [], 0)[0]:
            self.announce_jobs()

    def take_jobs(self) -> bool:
        """Return whether jobs were announced that no other process has looked for."""
        return bool(_read(self.jobs_reader))

    def announce_cancel(self, task_id: uuid.UUID) -> None:
        """Tell every process that a task is to be cancelled."""
        for writer in self._cancel_writers:
            _write(writer, task_id.bytes)

    def take_cancels(self) -> Iterator[uuid.UUID]:
        """Yield the tasks to cancel that were announced."""
        announced = _read(self.cancels_reader)
        for start in range(0, len(announced), _UUID_BYTES):
            yield uuid.UUID(bytes=announced[start : start + _UUID_BYTES])


class Waiter:
    """Waits until one of some descriptors can be read; of several processes one is woken.

    `shared` is read by every process: waiting for it in the ordinary way would wake all of them
    (only Linux has another).
    """

    def __init__(self, own: list[int], *, shared: int | None = None) -> None:
        if sys.platform == "linux":
            self._waiter, self._unit, exclusive = select.epoll(), 1, select.EPOLLEXCLUSIVE
        else:
            self._waiter, self._unit, exclusive = select.poll(), 1_000, 0
        for descriptor in own:
            self._waiter.register(descriptor, select.POLLIN)
        self._shared, self._shared_events = shared, select.POLLIN | exclusive
        if shared is not None:
            self._waiter.register(shared, self._shared_events)

    def wait(self, seconds: float | None) -> set[int]:
        """Return the descriptors that can be read, none after the time."""
        pause = None if seconds is None else seconds * self._unit
        ready = {descriptor for descriptor, _ in self._waiter.poll(pause)}
        if self._shared in ready:
            # The kernel wakes the one that registered first: this one goes to the end.
            self._waiter.unregister(self._shared)
            self._waiter.register(self._shared, self._shared_events)
        return ready


def _nameless_file() -> int:
    """Create a file that no other program can open; return its descriptor."""
    if sys.platform == "linux":
        return os.memfd_create("leader")
    descriptor, path = tempfile.mkstemp()
    Path(path).unlink()
    return descriptor


def _pipe() -> tuple[int, int]:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    return reader, writer


def _write(writer: int, message: bytes) -> None:
    with suppress(BlockingIOError):  # so much waits there that its reader will look anyway
        os.write(writer, message)


def _read(reader: int) -> bytes:
    try:
        return os.read(reader, _READ_BYTES)
    except BlockingIOError:  # another process has read it
        return b""
