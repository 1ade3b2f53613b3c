"""The nursery: a process without threads from which children for single tasks are forked.

A worker process has threads, and forking one that has is not safe; starting a fresh interpreter
for each child costs a second and 80 MB. So a worker forks its nursery before it starts any thread,
and the nursery, in which Django is loaded already, forks children on request in milliseconds.
"""

from __future__ import annotations

import json
import logging
import os
import select
import signal
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, NoReturn

from tasks.supervision.processes import adopt_orphans, die_with_parent, living_children, reaped
from tasks.supervision.watchdog import start_beating

log = logging.getLogger(__name__)

_MESSAGE_SIZE = 4096
_ANSWER_SECONDS = 10.0


class Nursery:
    """The worker's side: asks for children and learns how they ended."""

    def __init__(self, raise_child: Callable[[socket.socket], int]) -> None:
        """Fork the nursery; `raise_child` is the body of each child. Before any thread starts."""
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            self._control.close()
            _run_nursery(theirs, raise_child, parent=parent)
        theirs.close()
        self._asking = threading.Lock()
        self._born: Future[int] = Future()
        self._ends: dict[int, Future[int]] = {}
        # From here on there are threads. The first is heard by the supervisor.
        start_beating()
        threading.Thread(target=self._listen, name="nursery", daemon=True).start()

    def fork(self) -> tuple[int, socket.socket]:
        """Fork a child; return its process id and our end of its channel."""
        ours, theirs = socket.socketpair()
        with self._asking, theirs:
            self._born = Future()
            socket.send_fds(self._control, [b"fork"], [theirs.fileno()])
            return self._born.result(_ANSWER_SECONDS), ours

    def exit_code(self, pid: int) -> int:
        """Wait for a child's end; return its exit code, a signal's number below zero."""
        code = self._ends[pid].result(_ANSWER_SECONDS)
        del self._ends[pid]
        return code

    def _listen(self) -> None:
        while message := self._control.recv(_MESSAGE_SIZE):
            told = json.loads(message)
            if "born" in told:
                self._ends[told["born"]] = Future()
                self._born.set_result(told["born"])
            else:
                self._ends[told["ended"]].set_result(told["code"])


def _run_nursery(
    control: socket.socket, raise_child: Callable[[socket.socket], int], *, parent: int
) -> NoReturn:
    """Fork children and tell of their ends, until the worker is gone; the nursery's whole life."""
    die_with_parent(signal.SIGKILL, parent=parent)
    # The worker's group is signalled as a whole; what stops is the worker's to decide.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    wake, woken = os.pipe()
    os.set_blocking(woken, False)
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    adopt_orphans()
    living: set[int] = set()
    while True:
        ready, _, _ = select.select([control.fileno(), wake], [], [])
        if wake in ready:
            os.read(wake, _MESSAGE_SIZE)
            _tell_ends(control, living)
        if control.fileno() in ready:
            message, fds, _, _ = socket.recv_fds(control, _MESSAGE_SIZE, 1)
            if not message:
                _end_all(living)
            _fork_child(control, fds[0], living, raise_child)


def _fork_child(
    control: socket.socket,
    channel_fd: int,
    living: set[int],
    raise_child: Callable[[socket.socket], int],
) -> None:
    nursery = os.getpid()
    pid = os.fork()
    if pid == 0:
        control.close()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        # A group of its own, so that whatever the handler starts can be killed with it.
        os.setpgid(0, 0)
        die_with_parent(signal.SIGKILL, parent=nursery)
        # What it starts stays below it while it lives, and falls to the nursery when it has ended.
        adopt_orphans()
        code = 1
        try:
            code = raise_child(socket.socket(fileno=channel_fd))
        finally:
            os._exit(code)
    os.close(channel_fd)
    living.add(pid)
    _tell(control, {"born": pid})


def _tell_ends(control: socket.socket, living: set[int]) -> None:
    """Tell which children have ended, and kill what they started: it dies with them."""
    ended = [(pid, code) for pid, code in reaped() if pid in living]
    for pid, _ in ended:
        kill_group(pid)
        living.discard(pid)
    # Also what left the group. What these started falls to us in turn, and we are told of it.
    for pid in living_children() - living:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    for pid, code in ended:
        _tell(control, {"ended": pid, "code": code})


def _tell(control: socket.socket, message: dict[str, Any]) -> None:
    try:
        control.send(json.dumps(message).encode())
    except OSError:
        # The worker is gone: the next read says so.
        log.debug("the worker is gone")


def _end_all(living: set[int]) -> NoReturn:
    for pid in living:
        kill_group(pid)
    os._exit(0)


def kill_group(pid: int) -> None:
    """Kill a child and whatever it started."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        log.debug("process group gone already", extra={"pid": pid})
