from __future__ import annotations

import subprocess
import sys

from benchmarks.systems import table

if __name__ == "__main__":
    table.main()
    sys.exit(subprocess.run([*sys.argv[1:], "migrate"], check=False).returncode)
