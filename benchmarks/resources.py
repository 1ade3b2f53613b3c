"""What a system's processes use: CPU seconds and memory, its database's and broker's included."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress

import psutil

MIB = 1024 * 1024
# Shared by all systems, and mostly a buffer of fixed size: it would hide what a worker takes.
DATABASE = "postgres"


def cpu_seconds() -> float:
    """Return the CPU time of every process that the benchmark started, ended ones included.

    Of those ended, the ones whose parent still runs: none of a system's processes outlives it.
    """
    total = 0.0
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def memory_mib() -> float:
    """Return the memory of every process that the benchmark started, but for Postgres'.

    Pages that several processes share count once (PSS): a worker's forks share most of theirs.
    """
    return sum(_proportional(psutil.Process().children(recursive=True)))


def tree_mib(pid: int) -> list[float]:
    """Return the memory of a process and of each below it, shared pages counted once, in MiB."""
    with suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        return list(_proportional([root, *root.children(recursive=True)]))
    return []


def resident_mib(pids: Iterable[int]) -> list[float]:
    """Return what each of these processes holds, pages that it shares included, in MiB."""
    held = []
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            held.append(psutil.Process(pid).memory_info().rss / MIB)
    return held


def _proportional(processes: Iterable[psutil.Process]) -> Iterator[float]:
    for process in processes:
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            if process.name() != DATABASE:
                yield process.memory_full_info().pss / MIB
