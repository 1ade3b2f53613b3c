"""Exposition: all metrics as text for Prometheus, in its own format or in OpenMetrics."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from tasks.counts import FAMILIES, Family
from tasks.metrics.gauges import gauges
from tasks.metrics.store import is_of, stored


class _Everything(Collector):
    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        sums = stored()
        for family in FAMILIES.values():
            rows = [row for row in sums.get(family.name, []) if is_of(family, *row)]
            yield _histogram(family, rows) if family.buckets else _counter(family, rows)
        yield from gauges()


def metrics(accept: str) -> tuple[bytes, str]:
    """Return all metrics and their content type, in the format that an Accept header prefers."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Everything())
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


Rows = list[tuple[list[str], list[float]]]


def _counter(family: Family, rows: Rows) -> Metric:
    metric = CounterMetricFamily(family.name, family.help, labels=family.labels)
    if not family.labels and not rows:
        # Without a first sample of 0, Prometheus would not see the first increase.
        metric.add_metric([], 0.0)
    for labels, numbers in rows:
        metric.add_metric(labels, numbers[0])
    return metric


def _histogram(family: Family, rows: Rows) -> Metric:
    metric = HistogramMetricFamily(family.name, family.help, labels=family.labels)
    bounds = [*(str(float(bound)) for bound in family.buckets), "+Inf"]
    for labels, (*numbers, total) in rows:
        metric.add_metric(labels, list(zip(bounds, accumulate(numbers), strict=True)), total)
    return metric
