"""Where and when a run took place, and with which versions of everything."""

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
    """Return date, commit, load, machine and versions, as they go into the file."""
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
    """Return the commit, with a mark where files differ from it."""
    return _said(["git", "describe", "--always", "--dirty", "--abbrev=12"]) or "unknown"


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _packages() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    manifest = NODE_MODULES / "graphile-worker" / "package.json"
    if manifest.exists():
        found["graphile-worker"] = loads(manifest.read_text())["version"]
    return found


def _programs() -> dict[str, str]:
    return {name: said for name, argv in PROGRAMS.items() if (said := _said(argv))}


def _said(argv: list[str]) -> str:
    """Return the first line that a program prints, or nothing where there is no such program."""
    if not shutil.which(argv[0]):
        return ""
    done = subprocess.run(argv, cwd=PROJECT, capture_output=True, text=True, check=False)
    return next(iter((done.stdout or done.stderr).splitlines()), "").strip()
