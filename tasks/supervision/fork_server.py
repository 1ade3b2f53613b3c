"""Fork server: a process without threads that forks the children in which single tasks run.

A worker process has threads, and forking a process that has threads is not safe; starting a new
interpreter for each child costs a second and 80 MB. So a worker forks its fork server before it
starts any thread, and the fork server, in which Django is already loaded, forks children on request
in milliseconds.
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
from tasks.supervision.watchdog import start_watchdog_thread

log = logging.getLogger(__name__)

ChildMain = Callable[[socket.socket], int]

_MESSAGE_SIZE = 4096
_ANSWER_SECONDS = 10.0


class ForkServer:
    """The worker's side: requests children and receives their exit codes."""

    def __init__(self, child_main: ChildMain) -> None:
        """Fork the server, before any thread starts; `child_main` runs in each child."""
        self._control, server_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            self._control.close()
            _run_server(server_end, child_main, parent=parent)
        server_end.close()
        self._requesting = threading.Lock()
        self._started: Future[int] = Future()
        self._exit_codes: dict[int, Future[int]] = {}
        # From here on the process has threads. The first is for the supervisor's watchdog.
        start_watchdog_thread()
        threading.Thread(target=self._listen, name="fork-server", daemon=True).start()

    def fork(self) -> tuple[int, socket.socket]:
        """Fork a child; return its process id and this side's end of its channel."""
        own_end, child_end = socket.socketpair()
        with self._requesting, child_end:
            self._started = Future()
            socket.send_fds(self._control, [b"fork"], [child_end.fileno()])
            return self._started.result(_ANSWER_SECONDS), own_end

    def exit_code(self, pid: int) -> int:
        """Wait until a child has ended; return its exit code, a signal's number below zero."""
        code = self._exit_codes[pid].result(_ANSWER_SECONDS)
        del self._exit_codes[pid]
        return code

    def _listen(self) -> None:
        while message := self._control.recv(_MESSAGE_SIZE):
            event = json.loads(message)
            if "started" in event:
                self._exit_codes[event["started"]] = Future()
                self._started.set_result(event["started"])
            else:
                self._exit_codes[event["ended"]].set_result(event["code"])


def _run_server(control: socket.socket, child_main: ChildMain, *, parent: int) -> NoReturn:
    """Fork children and report their ends until the worker is gone: the server's main loop."""
    die_with_parent(signal.SIGKILL, parent=parent)
    # A signal to the worker's process group reaches this process too; the worker decides.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    wake, wake_writer = os.pipe()
    os.set_blocking(wake_writer, False)
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake_writer, warn_on_full_buffer=False)
    adopt_orphans()
    living: set[int] = set()
    while True:
        ready, _, _ = select.select([control.fileno(), wake], [], [])
        if wake in ready:
            os.read(wake, _MESSAGE_SIZE)
            _report_ends(control, living)
        if control.fileno() in ready:
            message, fds, _, _ = socket.recv_fds(control, _MESSAGE_SIZE, 1)
            if not message:
                _end_all(living)
            _fork_child(control, fds[0], living, child_main)


def _fork_child(
    control: socket.socket, channel_fd: int, living: set[int], child_main: ChildMain
) -> None:
    server = os.getpid()
    pid = os.fork()
    if pid == 0:
        control.close()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        # A process group of its own, so that what the handler starts can be killed with it.
        os.setpgid(0, 0)
        die_with_parent(signal.SIGKILL, parent=server)
        # The child adopts the orphans of what it starts; when it ends, the server adopts them.
        adopt_orphans()
        code = 1
        try:
            code = child_main(socket.socket(fileno=channel_fd))
        finally:
            os._exit(code)
    os.close(channel_fd)
    living.add(pid)
    _report(control, {"started": pid})


def _report_ends(control: socket.socket, living: set[int]) -> None:
    """Report which children have ended, and kill the processes that they started."""
    ended = [(pid, code) for pid, code in reaped() if pid in living]
    for pid, _ in ended:
        kill_group(pid)
        living.discard(pid)
    # Also processes that left the group. The server adopts their children in turn, and SIGCHLD
    # brings it here again.
    for pid in living_children() - living:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    for pid, code in ended:
        _report(control, {"ended": pid, "code": code})


def _report(control: socket.socket, event: dict[str, Any]) -> None:
    try:
        control.send(json.dumps(event).encode())
    except OSError:
        # The next read of the control socket ends this process.
        log.debug("the worker process is gone; the fork server ends")


def _end_all(living: set[int]) -> NoReturn:
    for pid in living:
        kill_group(pid)
    os._exit(0)


def kill_group(pid: int) -> None:
    """Kill a child and every process of its group."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        log.debug("the child's process group has already ended", extra={"pid": pid})
