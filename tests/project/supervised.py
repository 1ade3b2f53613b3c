"""A supervisor of toy children, run as a program: `python -m tests.project.supervised NAME FILE`.

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


def parent_of_a_runaway(name: str) -> int:
    """Have a child that leaves the group and heeds nothing."""
    if os.fork() == 0:
        os.setsid()
        stubborn("runaway")
    return polite(name)


def quiet(name: str) -> int:
    """Beat for as long as there is no file, then hold the interpreter's lock for ever."""
    start_watchdog_thread()
    write(name, "began")
    while not JOURNAL.with_name("be mute").exists():
        time.sleep(0.02)
    write(name, "mute")
    return sum(range(10**12))


def written(event: str) -> Callable[[], bool]:
    return lambda: JOURNAL.exists() and event in JOURNAL.read_text()


def child(name: str, *, tier: int = 0, takes: float = 0.0) -> Child:
    return Child(name, partial(polite, name, takes=takes), tier=tier)


def obstinate(name: str) -> Child:
    return Child(name, partial(stubborn, name))


SUPERVISORS: dict[str, Callable[[], Supervisor]] = {
    "command": lambda: Supervisor([Child("sleep", exec_command(["sleep", "600"]))], stop_grace=5),
    "missing": lambda: Supervisor(
        [Child("missing", exec_command(["/no/such/program"]))], stop_grace=5, give_up_after=3
    ),
    "three": lambda: Supervisor(
        [child("top", tier=2), child("middle", tier=1), child("bottom", takes=0.2)], stop_grace=5
    ),
    "stubborn": lambda: Supervisor([obstinate("mule")], stop_grace=0.5),
    "patient": lambda: Supervisor(
        [obstinate("mule"), child("slow", takes=1.5)], stop_grace=60, hurried_grace=0.2
    ),
    "slow": lambda: Supervisor([child("slow", takes=1.0)], stop_grace=60, hurried_grace=0.2),
    "failing": lambda: Supervisor(
        [child("steady"), Child("dud", partial(short_lived, "dud", code=3))],
        stop_grace=5,
        give_up_after=3,
    ),
    "flapping": lambda: Supervisor(
        [Child("moth", partial(short_lived, "moth", code=1))], stop_grace=5
    ),
    "recycled": lambda: Supervisor(
        [Child("moth", partial(short_lived, "moth", code=RECYCLE, lives=0.3))], stop_grace=5
    ),
    "mayfly": lambda: Supervisor(
        [Child("moth", partial(short_lived, "moth", code=1, lives=LONG_LIFE))], stop_grace=5
    ),
    "runaway": lambda: Supervisor(
        [Child("careless", partial(parent_of_a_runaway, "careless"))], stop_grace=5
    ),
    "mute": lambda: Supervisor(
        [Child("mole", partial(quiet, "mole"), watchdog_timeout=1.5)], stop_grace=5
    ),
    "starting": lambda: Supervisor(
        [Child("starter", partial(polite, "starter"), watchdog_timeout=0.2)], stop_grace=5
    ),
    "tidy": lambda: Supervisor(
        [Child("careless", partial(parent_of_a_runaway, "careless"), leaves_nothing=True)],
        stop_grace=5,
    ),
    "ordered": lambda: Supervisor(
        [
            Child("first", partial(polite, "first"), ready=written("go")),
            Child("errand", partial(short_lived, "errand", code=0, lives=0.2), tier=1, once=True),
            child("last", tier=2),
        ],
        stop_grace=5,
        give_up_after=3,
    ),
    "hopeless": lambda: Supervisor(
        [
            child("first"),
            Child("errand", partial(short_lived, "errand", code=4), tier=1, once=True),
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
