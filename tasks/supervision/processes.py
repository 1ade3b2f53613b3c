"""Child processes: their description, how they are forked, and how they die with their parent."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from signal import Signals
from typing import NoReturn, TextIO

from tasks.supervision import watchdog
from tasks.supervision.watchdog import WatchdogCounter

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

# Loaded here: nothing is loaded between fork and exec.
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


@dataclass(frozen=True)
class Child:
    """A process to keep alive; `start` runs in it and returns its exit code, or execs."""

    name: str
    start: Callable[[], int]
    # Tiers start lowest first, each once the one below is ready, and stop highest first.
    tier: int = 0
    # A child that does its work once, is ready when it has exited with 0, and fails otherwise.
    once: bool = False
    ready: Callable[[], bool] | None = None
    ready_timeout: float = 60.0
    # Standard output and error go here instead of to the parent's.
    log: Path | None = None
    stop_signal: Signals = signal.SIGTERM
    kill_signal: Signals = signal.SIGKILL
    parent_death_signal: Signals = signal.SIGTERM
    # Seconds between the two signals; None for the supervisor's, which a second request cuts short.
    stop_grace: float | None = None
    # Seconds without a sign of life after which it is killed; None for a child without a watchdog.
    watchdog_timeout: float | None = None
    # Whether everything that it started, in any group or session, is killed when it has ended.
    leaves_nothing: bool = False


def exec_command(
    argv: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Callable[[], int]:
    """Return a start function that becomes the command."""

    def start() -> int:
        # Python ignores these two; a command expects the defaults.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        try:
            if cwd is not None:
                os.chdir(cwd)
            os.execvpe(argv[0], list(argv), os.environ if env is None else env)  # noqa: S606
        except OSError as error:
            print(f"{argv[0]} cannot be run: {error.strerror}.", file=sys.stderr)  # noqa: T201
            return 127

    return start


def fork(child: Child, *, counter: WatchdogCounter | None = None) -> int:
    """Start the child in a process group of its own; return its process id.

    `counter` is what the child counts up for its supervisor's watchdog.
    """
    parent = os.getpid()
    # What is left in a buffer would be written by the child too.
    _flush_outputs()
    # A signal that comes before the child has its own handlers waits until it has.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        pid = os.fork()
        if pid == 0:
            watchdog.set_own_counter(counter)
            _become(child, parent=parent, mask=mask)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return pid


def die_with_parent(signum: Signals, *, parent: int) -> None:
    """Have the kernel send the calling process a signal when its parent dies (Linux)."""
    if _LIBC is not None:
        _LIBC.prctl(PR_SET_PDEATHSIG, int(signum), 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), signum)


def adopt_orphans() -> None:
    """Make the calling process the parent of its descendants' orphans (Linux)."""
    if _LIBC is not None:
        _LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def living_children() -> set[int]:
    """Return the process ids of the calling process's children (none without /proc)."""
    pid = os.getpid()
    try:
        return {int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}
    except OSError:
        return set()


def reaped() -> Iterator[tuple[int, int]]:
    """Yield the process id and the exit code of each child that has ended, adopted ones included.

    The exit code of a child that a signal ended is the signal's number below zero.
    """
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        yield pid, os.waitstatus_to_exitcode(status)


def _become(child: Child, *, parent: int, mask: set[signal.Signals | int]) -> NoReturn:
    code = 1
    try:
        _separate_from_parent(child, parent=parent)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        code = child.start()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:  # the exit below would swallow it
        traceback.print_exc()
    finally:
        _leave(code)


def _separate_from_parent(child: Child, *, parent: int) -> None:
    signal.set_wakeup_fd(-1)
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(signum, signal.SIG_DFL)
    # Ctrl-C reaches only the supervisor, which stops the children in order.
    os.setpgid(0, 0)
    _redirect(Path(os.devnull), os.O_RDONLY, 0)
    if child.log is not None:
        _redirect(child.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 1, 2)
    die_with_parent(child.parent_death_signal, parent=parent)


def _redirect(path: Path, flags: int, *targets: int) -> None:
    opened = os.open(path, flags, 0o600)
    for target in targets:
        os.dup2(opened, target)
    if opened not in targets:
        os.close(opened)


def _leave(code: int) -> NoReturn:
    try:
        _flush_outputs()
    finally:
        os._exit(code)


def _flush_outputs() -> None:
    """Write out what is buffered; an output that takes nothing loses it, and stops nothing."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:  # the disk is full, or the reader has ended
            _discard_buffer(stream)


def _discard_buffer(stream: TextIO) -> None:
    number = stream.fileno()
    kept = os.dup(number)
    try:
        _redirect(Path(os.devnull), os.O_WRONLY, number)
        stream.flush()
    finally:
        os.dup2(kept, number)
        os.close(kept)
