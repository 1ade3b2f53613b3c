"""A supervisor of test children, run as a program: `python -m tests.project.supervised NAME FILE`.

Each child writes what it does into the file: a line `name event pid time`.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import NoReturn

from tasks.supervision.processes import Child, exec_command
from tasks.supervision.supervisor import LONG_LIFE, RECYCLE, Supervisor
from tasks.supervision.watchdog import start_watchdog_thread

JOURNAL = Path(sys.argv[-1])


def write(name: str, event: str) -> None:
    with JOURNAL.open("a") as journal:
        journal.write(f"{name} {event} {os.getpid()} {time.monotonic()}\n")


def polite(name: str, *, takes: float = 0.0) -> int:
    def end(signum: int, frame: FrameType | None) -> NoReturn:
        time.sleep(takes)
        write(name, "ended")
        sys.exit(0)

    signal.signal(signal.SIGTERM, end)
    write(name, "began")
    while True:
        signal.pause()


def stubborn(name: str) -> int:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    write(name, "began")
    while True:
        signal.pause()


def short_lived(name: str, *, code: int, lives: float = 0.0) -> int:
    write(name, "began")
    time.sleep(lives)
    return code


def talking(name: str) -> int:
    """Leave a text in the buffer of each output."""
    write(name, "began")
    sys.stdout.write("no whole line")
    sys.stderr.write("no whole line")
    return 0


def parent_of_a_stray(name: str) -> int:
    """Start a process that leaves the group and ignores SIGTERM."""
    if os.fork() == 0:
        os.setsid()
        stubborn("stray")
    return polite(name)


def blocking(name: str) -> int:
    """Count for the watchdog until the file `block` exists, then block the interpreter."""
    start_watchdog_thread()
    write(name, "began")
    while not JOURNAL.with_name("block").exists():
        time.sleep(0.02)
    write(name, "blocked")
    return sum(range(10**12))


def written(event: str) -> Callable[[], bool]:
    return lambda: JOURNAL.exists() and event in JOURNAL.read_text()


def interrupted() -> Supervisor:
    """Return a supervisor to which a stop request comes while it forks its first child."""
    os.register_at_fork(after_in_parent=_request_stop)
    return Supervisor([child(name) for name in ("first", "second", "third")], stop_grace=5)


def _request_stop() -> None:
    write("supervisor", "forked")
    os.kill(os.getpid(), signal.SIGTERM)


def stopped_before_a_tier() -> Supervisor:
    """Return a supervisor to which a stop request comes before it starts its second tier."""

    def ready() -> bool:
        os.kill(os.getpid(), signal.SIGTERM)
        return True

    first = Child("first", partial(polite, "first"), ready=ready)
    return Supervisor([first, child("second", tier=1), child("third", tier=1)], stop_grace=5)


def child(name: str, *, tier: int = 0, takes: float = 0.0) -> Child:
    return Child(name, partial(polite, name, takes=takes), tier=tier)


def stubborn_child(name: str) -> Child:
    return Child(name, partial(stubborn, name))


SUPERVISORS: dict[str, Callable[[], Supervisor]] = {
    "command": lambda: Supervisor([Child("sleep", exec_command(["sleep", "600"]))], stop_grace=5),
    "missing": lambda: Supervisor(
        [Child("missing", exec_command(["/no/such/program"]))], stop_grace=5, give_up_after=3
    ),
    "three": lambda: Supervisor(
        [child("top", tier=2), child("middle", tier=1), child("bottom", takes=0.2)], stop_grace=5
    ),
    "stubborn": lambda: Supervisor([stubborn_child("stubborn")], stop_grace=0.5),
    "patient": lambda: Supervisor(
        [stubborn_child("stubborn"), child("slow", takes=1.5)], stop_grace=60, hurried_grace=0.2
    ),
    "slow": lambda: Supervisor([child("slow", takes=1.0)], stop_grace=60, hurried_grace=0.2),
    "failing": lambda: Supervisor(
        [child("steady"), Child("failing", partial(short_lived, "failing", code=3))],
        stop_grace=5,
        give_up_after=3,
    ),
    "flapping": lambda: Supervisor(
        [Child("short-lived", partial(short_lived, "short-lived", code=1))], stop_grace=5
    ),
    "recycled": lambda: Supervisor(
        [Child("short-lived", partial(short_lived, "short-lived", code=RECYCLE, lives=0.3))],
        stop_grace=5,
    ),
    "long-lived": lambda: Supervisor(
        [Child("short-lived", partial(short_lived, "short-lived", code=1, lives=LONG_LIFE))],
        stop_grace=5,
    ),
    "stray": lambda: Supervisor(
        [Child("parent", partial(parent_of_a_stray, "parent"))], stop_grace=5
    ),
    "blocking": lambda: Supervisor(
        [Child("blocking", partial(blocking, "blocking"), watchdog_timeout=1.5)], stop_grace=5
    ),
    "starting": lambda: Supervisor(
        [Child("starter", partial(polite, "starter"), watchdog_timeout=0.2)], stop_grace=5
    ),
    "tidy": lambda: Supervisor(
        [Child("parent", partial(parent_of_a_stray, "parent"), leaves_nothing=True)],
        stop_grace=5,
    ),
    "ordered": lambda: Supervisor(
        [
            Child("first", partial(polite, "first"), ready=written("go")),
            Child("once", partial(short_lived, "once", code=0, lives=0.2), tier=1, once=True),
            child("last", tier=2),
        ],
        stop_grace=5,
        give_up_after=3,
    ),
    "talking": lambda: Supervisor(
        [
            Child("once", partial(talking, "once"), once=True),
            child("last", tier=1),
        ],
        stop_grace=5,
    ),
    "interrupted": interrupted,
    "stopped-before-a-tier": stopped_before_a_tier,
    "hopeless": lambda: Supervisor(
        [
            child("first"),
            Child("once", partial(short_lived, "once", code=4), tier=1, once=True),
            child("never", tier=2),
        ],
        stop_grace=5,
        give_up_after=3,
    ),
}

if __name__ == "__main__":
    supervisor = SUPERVISORS[sys.argv[1]]()
    code = supervisor.run()
    if supervisor.failure:
        sys.stdout.write(f"{supervisor.failure}\n")
    sys.exit(code)
