"""Exposition: all metrics as text for Prometheus, in its own format or in OpenMetrics."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from itertools import accumulate

from django.db import DatabaseError
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from tasks import kinds
from tasks.counts import FAMILIES, SUBMITTED, Family
from tasks.error_text import detail_of
from tasks.metrics.gauge import gauge
from tasks.metrics.gauges import GAUGES
from tasks.metrics.store import is_of, stored
from tasks.postgres.failures import is_outage

log = logging.getLogger(__name__)

Rows = list[tuple[list[str], list[float]]]
Labels = tuple[str, ...]


class _Everything(Collector):
    def collect(self) -> Iterator[Metric]:
        """Yield every metric that can be read, and which parts could be."""
        success = gauge(
            "tasks_scrape_success", "1 for a part of these metrics that could be read.", "part"
        )
        for part, read in {"counters": _counters, **GAUGES}.items():
            try:
                yield from list(read())
            except DatabaseError as error:
                if is_outage(error):
                    raise
                # A traceback in each scrape would say no more.
                log.error(
                    "could not read a part of the metrics; the scrape goes on without it",
                    extra={"part": part, "error": detail_of(error)},
                )
                success.add_metric([part], 0)
            else:
                success.add_metric([part], 1)
        yield success


def _counters() -> Iterator[Metric]:
    sums = stored()
    pairs = _queues_and_kinds(_rows(SUBMITTED, sums))
    for family in FAMILIES.values():
        rows = _rows(family, sums)
        if family.buckets:
            yield _histogram(family, rows)
        else:
            yield _counter(family, rows, _expected(family, pairs))


def metrics(accept: str) -> tuple[bytes, str]:
    """Return all metrics and their content type, in the format that an Accept header prefers."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Everything())
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


def _rows(family: Family, sums: dict[str, Rows]) -> Rows:
    return [row for row in sums.get(family.name, []) if is_of(family, *row)]


def _queues_and_kinds(submitted: Rows) -> set[Labels]:
    """Return the queue and kind of each kind, and those of which tasks were submitted."""
    known: set[Labels] = {(kind.queue, kind.name) for kind in kinds.all_kinds().values()}
    return known.union(tuple(labels) for labels, _ in submitted)


def _expected(family: Family, pairs: set[Labels]) -> list[Labels]:
    """Return the labels that always have a sample."""
    first: Iterable[Labels] = pairs if family.labels[:2] == SUBMITTED.labels else [()]
    if not family.values:
        return list(first)
    return [(*labels, value) for labels in first for value in family.values]


def _counter(family: Family, rows: Rows, expected: list[Labels]) -> Metric:
    metric = CounterMetricFamily(family.name, family.help, labels=family.labels)
    sums = dict.fromkeys(expected, 0.0)
    sums.update((tuple(labels), numbers[0]) for labels, numbers in rows)
    for labels, number in sums.items():
        metric.add_metric(labels, number)
    return metric


def _histogram(family: Family, rows: Rows) -> Metric:
    metric = HistogramMetricFamily(family.name, family.help, labels=family.labels)
    bounds = [*(str(float(bound)) for bound in family.buckets), "+Inf"]
    for labels, (*numbers, total) in rows:
        metric.add_metric(labels, list(zip(bounds, accumulate(numbers), strict=True)), total)
    return metric
