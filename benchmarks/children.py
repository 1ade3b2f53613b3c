"""Processes of a benchmark: each in its own group, with a time limit, ended by pid."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from benchmarks.errors import BenchmarkError
from tasks.supervision.processes import die_with_parent

PROJECT = Path(__file__).resolve().parent.parent
STOP_SECONDS = 30.0
LOG_TAIL = 2_000


@contextmanager
def running(
    argv: Sequence[str], *, environment: Mapping[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command with its output in `log` during the block, and end it afterwards."""
    with log.open("ab") as output:
        child = subprocess.Popen(
            argv,
            cwd=PROJECT,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            # SIGKILL, because Celery's graceful stop waits for a broker that has ended too.
            preexec_fn=partial(die_with_parent, signal.SIGKILL, parent=os.getpid()),
        )
    try:
        yield child
    finally:
        _end(child)


def run(argv: Sequence[str], *, environment: Mapping[str, str], log: Path, limit: float) -> str:
    """Run a command to its end and return its last line.

    Raises BenchmarkError when it fails or takes longer than `limit` seconds.
    """
    with running(argv, environment=environment, log=log) as child:
        try:
            code = child.wait(limit)
        except subprocess.TimeoutExpired as error:
            raise BenchmarkError(f"{argv} took more than {limit:g} s.\n{tail(log)}") from error
    if code != 0:
        raise BenchmarkError(f"{argv} ended with exit code {code}.\n{tail(log)}")
    lines = log.read_text(errors="replace").splitlines()
    return lines[-1] if lines else ""


def wait_until(
    condition: Callable[[], bool],
    *,
    child: subprocess.Popen[bytes],
    log: Path,
    limit: float,
    every: float,
) -> None:
    """Check every `every` seconds until `condition` holds, while `child` lives.

    Raises BenchmarkError when the child ends first or `limit` seconds have passed.
    """
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        if condition():
            return
        try:
            code = child.wait(every)
        except subprocess.TimeoutExpired:
            continue
        raise BenchmarkError(f"{child.args!r} ended with exit code {code}.\n{tail(log)}")
    raise BenchmarkError(f"{child.args!r} was not done within {limit:g} s.\n{tail(log)}")


def tail(log: Path) -> str:
    """Return the end of a command's output."""
    return log.read_text(errors="replace")[-LOG_TAIL:]


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
