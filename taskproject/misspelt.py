"""Misspelt names: variables that resemble a setting but are not one."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from difflib import get_close_matches

# What docker-compose.yml reads; the other settings are known by their readers.
CONTAINERS = (
    "GRAFANA_PASSWORD",
    "LOCK",
    "POSTGRES_PASSWORD",
    "WORKER_CPU_LIMIT",
    "WORKER_CPU_RESERVATION",
    "WORKER_HEALTH_CHECK_INTERVAL",
    "WORKER_HEALTH_CHECK_RETRIES",
    "WORKER_HEALTH_CHECK_START_PERIOD",
    "WORKER_HEALTH_CHECK_TIMEOUT",
    "WORKER_MEMORY_LIMIT",
    "WORKER_MEMORY_RESERVATION",
    "WORKER_REPLICAS",
)
# One letter more, less or other in nine; two in eighteen.
_ALIKE = 0.89
# A short name resembles too many others: PORTS, HOSTS, HTTP.
_SHORTEST = 8
# OpenTelemetry has dozens of names that resemble the few which are settings here.
_FOREIGN = "OTEL_"


def misspelt(
    names: Iterable[str], *, known: Collection[str], in_file: Collection[str]
) -> list[str]:
    """Return a sentence for each name that resembles a known one."""
    present = set(names)
    sentences = []
    for name in sorted(present - set(known)):
        if name.startswith(_FOREIGN):
            continue
        is_in_file = name in in_file
        nearest = _nearest(name, known)
        # Where the setting itself is set, a similar name of the environment is another program's.
        if nearest and (is_in_file or nearest not in present):
            where = ".env" if is_in_file else "the environment"
            sentences.append(
                f"{name} in {where} is not a setting and has no effect: is {nearest} meant?"
            )
    return sentences


def _nearest(name: str, known: Collection[str]) -> str | None:
    capitals = name.upper().replace("-", "_")
    if capitals in known:
        return capitals
    long = [other for other in known if len(other) >= _SHORTEST]
    return next(iter(get_close_matches(capitals, long, n=1, cutoff=_ALIKE)), None)
