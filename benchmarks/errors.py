from __future__ import annotations


class BenchmarkError(Exception):
    """An invalid run: a system failed, hung or returned a wrong result."""
