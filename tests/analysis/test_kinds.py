from __future__ import annotations

import os
import subprocess
import sys

LOAD = """
import sys, django
django.setup()
print("analysis.kinds" in sys.modules, "rest_framework.views" in sys.modules)
"""


def test_a_process_that_loads_the_kinds_loads_no_views() -> None:
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "taskproject.settings"}
    loaded = subprocess.run(
        [sys.executable, "-c", LOAD], env=environment, capture_output=True, text=True, check=True
    )
    assert loaded.stdout.split() == ["True", "False"]
