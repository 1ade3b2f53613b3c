"""Kind `compute`: computations, each in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from analysis.compute import operations
from analysis.input_schema import DIALECT
from tasks.kinds import Context

COMPUTE = "compute"


def _whole(limit: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": 0, "maximum": limit}


# What `input` may be; the operation `compute` ignores it.
_INPUTS: Mapping[str, dict[str, Any]] = {
    "sum": {
        "type": ["integer", "array"],
        "minimum": 0,
        "maximum": operations.SUM_LIMIT,
        "maxItems": 100_000,
        "items": {"type": "number", "minimum": -1e15, "maximum": 1e15},
    },
    "primes": _whole(operations.PRIMES_LIMIT),
    "fibonacci": _whole(operations.FIBONACCI_LIMIT),
    "matrix": _whole(operations.MATRIX_LIMIT),
}

INPUT = {
    "$schema": DIALECT,
    "type": "object",
    "properties": {
        "operation": {
            "enum": [COMPUTE, *_INPUTS],
            "default": COMPUTE,
            "description": "`compute` adds all whole numbers from 0 to 999,999 and ignores the"
            " input. `sum` adds the numbers of a list, or from 1 to n; `primes` counts the primes"
            " up to n; `fibonacci` returns the nth Fibonacci number; `matrix` squares an n×n matrix"
            " and adds its entries.",
        },
        "input": {"description": "A whole number; for `sum` also a list of numbers."},
    },
    "allOf": [
        {
            "if": {"properties": {"operation": {"const": name}}, "required": ["operation"]},
            "then": {"properties": {"input": schema}, "required": ["input"]},
        }
        for name, schema in _INPUTS.items()
    ],
}

_OPERATIONS: Mapping[str, Callable[[Any], float]] = {
    "sum": operations.total,
    "primes": operations.primes,
    "fibonacci": operations.fibonacci,
    "matrix": operations.matrix,
}


def handle(input: dict[str, Any], context: Context) -> dict[str, Any]:
    """Compute a sum, primes, a Fibonacci number or a matrix product."""
    operation = input.get("operation", COMPUTE)
    context.progress(0, f"computing {operation}")
    if operation == COMPUTE:
        result: float = operations.reference_load()
    else:
        result = _OPERATIONS[operation](_number(input["input"]))
    return {"operation": operation, "result": operations.exact(result)}


def _number(value: Any) -> Any:
    # The schema accepts 10.0 as an integer.
    return value if isinstance(value, list) else int(value)
