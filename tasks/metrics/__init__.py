"""Metrics: what has been counted and what is so now, for Prometheus."""
