from __future__ import annotations

import ctypes
import os
import subprocess
import time
from pathlib import Path
from typing import Any

from django.db import connection

import tasks
from tasks.kinds import (
    Cancel,
    Context,
    FatalError,
    Retry,
    RetryPolicy,
    Snooze,
    SoftTimeLimitExceeded,
    kind,
)
from tests.script import delivery, harm, hostile, leaving, limited, retries, talk, traced  # noqa: F401 registers their kinds
from tests.script.models import Effect


@kind("test.script", retry=RetryPolicy(max_retries=2, delay=0.05))
def script(input: dict[str, Any], context: Context) -> dict[str, Any]:
    """Do what the input requests."""
    first = context.attempt == 1
    match input.get("do", "return"):
        case "return":
            return {"echo": input.get("value")}
        case "sleep":
            time.sleep(input["seconds"])
        case "raise":
            raise ValueError(input.get("message", "requested failure"))
        case "raise once" if first:
            raise ValueError("the first attempt fails")
        case "fatal":
            raise FatalError("this can never work")
        case "retry once" if first:
            raise Retry(0.05)
        case "change the session":
            with connection.cursor() as cursor:
                cursor.execute(input["statement"])
        case "cancel":
            raise Cancel("no longer needed")
        case "snooze until":
            if not Path(input["file"]).exists():
                raise Snooze(0.05)
        case "return invalid JSON":
            return {"set": {1, 2}}
        case "return a NUL":
            return {"text": "a\0b"}
        case "follow up":
            context.submit("test.script", {"value": input["value"]}, **input.get("options", {}))
            if input.get("then") == "raise":
                raise FatalError("the follow-up must not come")
        case "submit and roll back":
            _submit_and_roll_back(input)
        case "wait for file":
            _wait_for(context, input["file"], heed=input.get("heed", True))
        case "progress":
            context.progress(40, "almost done")
            _wait_for(context, input["file"], heed=True)
        case "die":
            os._exit(9)
    return {"done": True}


@kind("test.effect", transactional=True, retry=RetryPolicy(max_retries=50, delay=0.05))
def effect(input: dict[str, Any], context: Context) -> dict[str, Any]:
    """Write one row that commits with the finish."""
    Effect.objects.create(task_id=context.task_id, attempt=context.attempt)
    time.sleep(input.get("seconds", 0))
    if input.get("do") == "raise":
        raise FatalError("the effect must not stay")
    return {}


@kind("test.plain_effect", retry=RetryPolicy(max_retries=2, delay=0.05))
def plain_effect(input: dict[str, Any], context: Context) -> dict[str, Any]:
    """Write one row that commits at once, then wait."""
    Effect.objects.create(task_id=context.task_id, attempt=context.attempt)
    within = input.get("within", 60)
    _wait_for(context, input["file"], heed=input.get("heed", False), within=within)
    return {}


@kind("test.sum")
def add(input: dict[str, Any], context: Context) -> dict[str, Any]:
    """Add numbers."""
    return {"sum": sum(input["numbers"])}


@kind("test.overdue", retry=RetryPolicy(max_retries=0), soft_time_limit=0.3, time_limit=0.6)
def overdue(input: dict[str, Any], context: Context) -> dict[str, Any]:
    """Run past the limits: heed the soft one, or run on until a file appears."""
    _wait_for(context, input["file"], heed=input["heed"])
    return {}


@kind(
    "test.isolated",
    isolation="process",
    memory_limit=200,
    retry=RetryPolicy(max_retries=9, delay=0.05),
    soft_time_limit=1,
    time_limit=2,
)
def isolated(input: dict[str, Any], context: Context) -> dict[str, Any]:
    """Do what would harm the worker, in a separate process."""
    match input["do"]:
        case "return the pid":
            return {"pid": os.getpid()}
        case "exit":
            os._exit(9)
        case "segfault":
            ctypes.string_at(0)
        case "use too much memory":
            return {"allocated": len(bytearray(2**30))}
        case "hold the GIL":
            # One long operation in C: Python runs no signal handler before it is over.
            return {"sum": sum(range(10**12))}
        case "clean up":
            try:
                time.sleep(30)
            except SoftTimeLimitExceeded:
                return {"cleaned": True}
        case "leave a grandchild":
            started = subprocess.Popen(["sleep", "600"])
            Path(input["file"]).write_text(str(started.pid))
            time.sleep(30)
        case "leave daemons":
            _leave_daemons(Path(input["file"]))
            time.sleep(30)
        case "progress":
            context.progress(40, "almost done")
            time.sleep(0.8)
        case "sleep":
            Path(input["file"]).write_text(str(os.getpid()))
            time.sleep(30)
    return {}


@kind("test.isolated_effect", isolation="process", transactional=True)
def isolated_effect(input: dict[str, Any], context: Context) -> dict[str, Any]:
    """Write one row in a separate process, committed with the finish."""
    Effect.objects.create(task_id=context.task_id, attempt=context.attempt)
    match input.get("do"):
        case "die":
            os._exit(9)
        case "leave daemons":
            _leave_daemons(Path(input["file"]))
            _wait_for(context, input["go on"], heed=True)
    return {"pid": os.getpid()}


def _wait_for(context: Context, name: str, *, heed: bool, within: float = 60) -> None:
    """Wait for a file to appear, at most so many seconds."""
    file = Path(name)
    end = time.monotonic() + within
    while not file.exists() and time.monotonic() < end:
        time.sleep(0.02)
        if heed:
            context.check()


def _leave_daemons(file: Path) -> None:
    """Start processes that leave group, session and parent, as daemons do, and start children."""
    script = "sleep 600 & echo $! $$ >> $0; wait"
    for number in range(2):
        pids = file.with_suffix(f".{number}")
        daemon = f'setsid sh -c "$0" {pids} & exit'
        subprocess.run(["sh", "-c", daemon, script], check=True)
    file.touch()


def _submit_and_roll_back(input: dict[str, Any]) -> None:
    from django.db import transaction

    with transaction.atomic():
        tasks.submit("test.script", {"value": input["value"]})
        transaction.set_rollback(True)
