"""Kinds that harm the process they run in, for the rows of the fault harness."""

from __future__ import annotations

import ctypes
import os
import re
import resource
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from tasks.kinds import Context, RetryPolicy, kind
from tests.script.models import Effect

OPEN_FILES = 256
BITE = 16 * 1024 * 1024
BITES = 256


@kind("test.crash_point", transactional=True, retry=RetryPolicy(max_retries=2, delay=0.05))
def crash_point(input: dict[str, Any], context: Context) -> dict[str, Any]:
    """Call the outside world, write one row; at the point named, kill the worker, once."""
    scratch = Path(input["scratch"], str(context.task_id))
    _die_once(scratch, input["point"] == "before the call")
    with scratch.with_suffix(".calls").open("a") as calls:
        calls.write(f"{context.attempt}\n")
        calls.flush()
        os.fsync(calls.fileno())
    _die_once(scratch, input["point"] == "after the call")
    Effect.objects.create(task_id=context.task_id, attempt=context.attempt)
    _die_once(scratch, input["point"] == "after the effect")
    return {}


@kind(
    "test.harm",
    isolation="process",
    memory_limit=200,
    retry=RetryPolicy(max_retries=9, delay=0.05),
    soft_time_limit=2,
    time_limit=4,
)
def harm(input: dict[str, Any], context: Context) -> dict[str, Any]:
    """Record the run, then do what would take the worker down."""
    Effect.objects.create(task_id=context.task_id, attempt=context.attempt)
    match input["do"]:
        case "exit":
            os._exit(1)
        case "kill itself":
            os.kill(os.getpid(), signal.SIGKILL)
        case "segfault":
            ctypes.string_at(0)
        case "use too much memory":
            _grow_memory()
        case "power":
            return {"rest": pow(7, 2**8_000_000 - 1, 2**8192 - 1) % 10}
        case "regex":
            re.match(r"(a+)+b", "a" * 60)
        case "sum":
            # Python runs no signal handler before it is over.
            return {"sum": sum(range(10**12))}
        case "grandchildren":
            _leave_grandchildren(Path(input["file"]), own_session=input.get("own session", False))
        case "files":
            _open_files()
        case "sleep":
            Path(input["file"]).write_text(str(os.getpid()))
            time.sleep(60)
    return {}


@kind("test.large", retry=RetryPolicy(max_retries=2, delay=0.05))
def large(input: dict[str, Any], context: Context) -> dict[str, Any]:
    """Return a text of so many bytes, once a file is there."""
    while not Path(input["file"]).exists():
        context.wait(0.05)
    return {"text": "x" * input["bytes"]}


@kind("test.block", retry=RetryPolicy(max_retries=0), soft_time_limit=2, time_limit=4)
def block(input: dict[str, Any], context: Context) -> dict[str, Any]:
    """Compute in C without end, in a thread of the worker: no other thread can run."""
    Effect.objects.create(task_id=context.task_id, attempt=context.attempt)
    return {"sum": sum(range(10**12))}


def _die_once(scratch: Path, here: bool) -> None:
    if not here:
        return
    try:
        scratch.with_suffix(".died").touch(exist_ok=False)
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


def _grow_memory() -> None:
    """Allocate more and more, as a leak does."""
    blocks = []
    for _ in range(BITES):
        blocks.append(bytearray(BITE))  # noqa: PERF401 memory must grow step by step


def _open_files() -> None:
    """Open files until the limit is reached."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(OPEN_FILES, most), most))
    opened = []
    while True:
        opened.append(os.open(os.devnull, os.O_RDONLY))


def _leave_grandchildren(file: Path, *, own_session: bool) -> None:
    processes = [
        subprocess.Popen(["sleep", "600"], start_new_session=own_session) for _ in range(3)
    ]
    file.write_text(" ".join(str(process.pid) for process in processes))
    time.sleep(60)
