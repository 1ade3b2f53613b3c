from __future__ import annotations


class BenchmarkError(Exception):
    """A run that cannot count: a system that failed, hung or gave a wrong result."""
