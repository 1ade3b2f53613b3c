"""Circumstances of a run: the commit that ran and the load of the machine."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Circumstances:
    """The commit ("-dirty" when files differed from it) and the one-minute load average."""

    commit: str
    load: float


def present() -> Circumstances:
    """Return the current commit and load."""
    return Circumstances(commit=_commit(), load=os.getloadavg()[0])


def _commit() -> str:
    command = ["git", "--no-optional-locks", "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        # An unpacked archive has no history.
        return "unknown"
    return done.stdout.strip()
