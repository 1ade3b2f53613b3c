"""Machine, time and versions of a run."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from json import loads
from pathlib import Path
from typing import Any

import psutil

from benchmarks.children import PROJECT
from benchmarks.systems.graphile.system import NODE_MODULES

PACKAGES = [
    "Django",
    "djangorestframework",
    "procrastinate",
    "psycopg",
    "granian",
    "celery",
    "redis",
    "pgqueuer",
    "asyncpg",
    "fastapi",
    "uvicorn",
    "uvloop",
]
PROGRAMS = {
    "Redis": ["redis-server", "--version"],
    "Node": ["node", "--version"],
    "wrk": ["wrk", "--version"],
    "RabbitMQ": ["dpkg-query", "--showformat=${Version}", "--show", "rabbitmq-server"],
}


def describe() -> dict[str, Any]:
    """Return date, commit, load, machine and versions for the result file."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "load_before": round(os.getloadavg()[0], 2),
        "machine": {
            "cores": os.cpu_count(),
            "processor": _processor(),
            "memory_gib": round(psutil.virtual_memory().total / 2**30),
            "platform": platform.platform(),
        },
        "versions": {"Python": platform.python_version(), **_packages(), **_programs()},
    }


def _commit() -> str:
    """Return the commit, marked "-dirty" where files differ from it."""
    return _first_line(["git", "describe", "--always", "--dirty", "--abbrev=12"]) or "unknown"


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _packages() -> dict[str, str]:
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    manifest = NODE_MODULES / "graphile-worker" / "package.json"
    if manifest.exists():
        versions["graphile-worker"] = loads(manifest.read_text())["version"]
    return versions


def _programs() -> dict[str, str]:
    return {name: line for name, argv in PROGRAMS.items() if (line := _first_line(argv))}


def _first_line(argv: list[str]) -> str:
    """Return the first line that a program prints, or "" where it is not installed."""
    if not shutil.which(argv[0]):
        return ""
    done = subprocess.run(argv, cwd=PROJECT, capture_output=True, text=True, check=False)
    return next(iter((done.stdout or done.stderr).splitlines()), "").strip()
