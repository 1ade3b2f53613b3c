"""Several copies of a command side by side: `python -m benchmarks.systems.several 2 COMMAND…`."""

from __future__ import annotations

import signal
import subprocess
import sys


def main() -> int:
    """Run until SIGTERM or until the first copy ends."""
    count, argv = int(sys.argv[1]), sys.argv[2:]
    children = [subprocess.Popen(argv) for _ in range(count)]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        return children[0].wait()
    finally:
        for child in children:
            child.terminate()
        for child in children:
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()


if __name__ == "__main__":
    sys.exit(main())
