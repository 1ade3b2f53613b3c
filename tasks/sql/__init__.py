"""The statements that move a task: together they are the state machine."""

from __future__ import annotations

from pathlib import Path
from typing import LiteralString


def _read(name: str) -> LiteralString:
    # As literal as if it stood here: nothing of a request is ever put into it.
    return (Path(__file__).parent / f"{name}.sql").read_text(encoding="utf-8")


SUBMIT = _read("submit")
CLAIM = _read("claim")
FINISH = _read("finish")
CANCEL = _read("cancel")
RETRY = _read("retry")
DELETE = _read("delete")
RESCUE = _read("rescue")
RECONCILE = _read("reconcile")
PRUNE = _read("prune")
RESET = _read("reset")
HELD = _read("held")
LANES = _read("lanes")
HEARTBEAT = _read("heartbeat")
PROGRESS = _read("progress")
REGISTER = _read("register")
UNREGISTER = _read("unregister")
