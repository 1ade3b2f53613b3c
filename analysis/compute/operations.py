"""Operations that can be computed; limits keep each within the time limit of the kind."""

from __future__ import annotations

import math
from collections.abc import Sequence

REFERENCE_SIZE = 1_000_000
SUM_LIMIT = 10_000_000
PRIMES_LIMIT = 10_000_000
FIBONACCI_LIMIT = 10_000
MATRIX_LIMIT = 200

# Readers of JSON with 64-bit integers, such as the database, read no larger one exactly.
_LARGEST = 2**63 - 1


def reference_load() -> int:
    """Return the sum of 0 to 999,999, added one by one: the documented reference computation."""
    return _sum_to(REFERENCE_SIZE - 1)


def total(numbers: int | Sequence[float]) -> float:
    """Return the sum of the numbers, or of 1 to a number."""
    if isinstance(numbers, Sequence):
        whole = all(float(number).is_integer() for number in numbers)
        return sum(map(int, numbers)) if whole else math.fsum(numbers)
    return _sum_to(numbers)


def primes(limit: int) -> int:
    """Return the number of primes up to a limit, by the sieve of Eratosthenes."""
    if limit < 2:
        return 0
    is_prime = bytearray([1]) * (limit + 1)
    is_prime[:2] = b"\0\0"
    for number in range(2, math.isqrt(limit) + 1):
        if is_prime[number]:
            multiples = range(number * number, limit + 1, number)
            is_prime[multiples.start :: number] = bytes(len(multiples))
    return is_prime.count(1)


def fibonacci(index: int) -> int:
    """Return the Fibonacci number with an index; those with 0 and 1 are 0 and 1."""
    current, following = 0, 1
    for _ in range(index):
        current, following = following, current + following
    return current


def matrix(size: int) -> int:
    """Return the sum of the entries of M², M being size × size with entries (row + column) mod 10.

    Every entry of the product is computed, size³ multiplications in all.
    """
    rows = [[(row + column) % 10 for column in range(size)] for row in range(size)]
    columns = list(zip(*rows, strict=True))
    return sum(
        sum(left * right for left, right in zip(row, column, strict=True))
        for row in rows
        for column in columns
    )


def exact(value: float) -> float | str:
    """Return a number as JSON can hold it: as text when it has too many digits."""
    return str(value) if isinstance(value, int) and abs(value) > _LARGEST else value


def _sum_to(last: int) -> int:
    result = 0
    for number in range(last + 1):
        result += number
    return result
