"""Resources of a system's processes, database and broker included: CPU seconds and memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress

import psutil

MIB = 1024 * 1024
# Mostly a buffer of fixed size, shared by all systems: it would hide a worker's memory.
DATABASE = "postgres"


def cpu_seconds() -> float:
    """Return the CPU time of every process that the benchmark started, ended ones included.

    Ended processes count while their parent runs; no process of a system outlives its parent.
    """
    total = 0.0
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def database_cpu_seconds() -> float:
    """Return the CPU time of PostgreSQL's processes, ended ones included."""
    total = 0.0
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if process.name() == DATABASE:
                times = process.cpu_times()
                total += times.user + times.system + times.children_user + times.children_system
    return total


def memory_mib() -> float:
    """Return the memory of every process that the benchmark started, except PostgreSQL's.

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
    """Return the resident memory of each of these processes, shared pages included, in MiB."""
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
