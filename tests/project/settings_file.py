"""The settings that an environment makes, read in this process."""

from __future__ import annotations

import os
import re
import runpy
from typing import Any
from unittest.mock import patch

from tests.project.conftest import ROOT

SECRET_KEY = "for-tests-only-0123456789-abcdefghij"


def settings_of(environment: dict[str, str]) -> dict[str, Any]:
    """Return the names that the settings file defines; raise what it raises."""
    system = {name: os.environ[name] for name in ("PATH", "HOME", "DATA_DIR") if name in os.environ}
    whole = {**system, "SECRET_KEY": SECRET_KEY, **environment}
    with patch.dict(os.environ, whole, clear=True):
        return runpy.run_path(str(ROOT / "taskproject" / "settings.py"))


def plain(settings: dict[str, Any]) -> dict[str, str]:
    """Return the settings in a form that can be compared."""
    return {
        name: re.sub(" at 0x[0-9a-f]+", "", repr(value))
        for name, value in settings.items()
        if name.isupper()
    }
