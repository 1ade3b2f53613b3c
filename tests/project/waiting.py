"""Waiting for processes to end."""

from __future__ import annotations

from collections.abc import Iterable

from tests.waiting import wait_until
from tests.workers import is_running


def wait_gone(pids: Iterable[int], *, within: float = 10.0) -> None:
    """Wait until none of the processes runs."""
    left = list(pids)
    wait_until(lambda: not any(is_running(pid) for pid in left), within=within, what=f"{left} gone")
