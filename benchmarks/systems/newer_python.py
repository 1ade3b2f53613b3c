"""Newer Python: the environment of the peers that need Python 3.12 or later."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

# `make benchmark` creates it where it finds such an interpreter.
PYTHON = str(Path(sys.prefix) / "newer-python" / "bin" / "python")


@cache
def missing(package: str) -> str | None:
    """Return what must be installed before a package can run, or None."""
    if not Path(PYTHON).exists():
        return "no Python 3.12 or later was found (NEWER_PYTHON=… names one)"
    found = subprocess.run([PYTHON, "-c", f"import {package}"], check=False, capture_output=True)
    if found.returncode == 0:
        return None
    return f"{package} is not installed (benchmarks/requirements-3.12.txt)"
