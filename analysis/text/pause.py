"""Pause before the text analysis, as documented: it simulates slow work."""

from __future__ import annotations

import random

from django.conf import settings


def draw() -> float:
    """Return seconds within ANALYSIS_SIMULATED_DELAY, uniformly distributed."""
    return random.uniform(*settings.ANALYSIS_SIMULATED_DELAY)  # noqa: S311 guards nothing
