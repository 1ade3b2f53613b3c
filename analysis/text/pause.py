"""Pause before the text analysis, as documented: it simulates slow work."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from functools import lru_cache

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

# Seconds; the rest of the kind's 120 s is for the analysis.
_LONGEST = 100.0
_RANGE = re.compile(r"(\d+(?:\.\d+)?)(?:-(\d+(?:\.\d+)?))?")


@dataclass(frozen=True)
class Pause:
    """The range of seconds from which each pause is drawn."""

    shortest: float
    longest: float

    def draw(self) -> float:
        """Return a number of seconds, uniformly distributed."""
        return random.uniform(self.shortest, self.longest)  # noqa: S311 guards nothing


def configured() -> Pause:
    """Return the pause in ANALYSIS_SIMULATED_DELAY; raise ImproperlyConfigured."""
    return parse(settings.ANALYSIS_SIMULATED_DELAY)


@lru_cache(maxsize=8)
def parse(value: str) -> Pause:
    """Parse seconds ("0", "5") or a range of seconds ("5-10"); raise ImproperlyConfigured."""
    match = _RANGE.fullmatch(value.strip())
    if match:
        pause = Pause(float(match[1]), float(match[2] or match[1]))
        if pause.shortest <= pause.longest <= _LONGEST:
            return pause
    raise ImproperlyConfigured(
        f"ANALYSIS_SIMULATED_DELAY={value!r} must be seconds or a range of seconds, "
        f'such as "0" or "5-10", at most {_LONGEST:g}.'
    )
