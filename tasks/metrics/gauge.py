"""Gauge: a value that is read at each scrape."""

from __future__ import annotations

from prometheus_client.core import GaugeMetricFamily


def gauge(name: str, help: str, *labels: str) -> GaugeMetricFamily:
    """Return a gauge without values."""
    return GaugeMetricFamily(name, help, labels=labels)
