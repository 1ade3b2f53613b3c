"""Retry policies: how often and how soon a failed attempt is tried again."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from tasks.delays import seconds


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """How often and how soon a failed attempt is tried again; delays in seconds."""

    max_retries: int = field(default_factory=lambda: settings.TASK_MAX_RETRIES)
    delay: float = field(default_factory=lambda: settings.TASK_RETRY_DELAY)
    cap: float = 600.0

    def __post_init__(self) -> None:
        for name in ("delay", "cap"):
            try:
                object.__setattr__(self, name, seconds(getattr(self, name)))
            except ValueError as error:
                raise ImproperlyConfigured(f"The {name} of a RetryPolicy {error}") from None

    def next_delay(self, attempt: int) -> float:
        """Return the pause after this attempt: delay × 2ⁿ, up to twice that, never past the cap.

        The jitter is as long as the pause itself, which spreads tasks that failed together as
        widely as possible. Pauses that have reached the cap are spread as well.
        """
        least = min(self.delay * 2.0 ** min(attempt - 1, 60), self.cap / 2)
        return least * (1.0 + random.random())  # noqa: S311 spreads load, guards nothing


# By class, the nearest base class first; or a function of the exception, which returns None for no
# retry.
RetryRules = (
    Mapping[type[BaseException], RetryPolicy] | Callable[[BaseException], RetryPolicy | None]
)


def policy_for(
    error: BaseException,
    *,
    retry_on: RetryRules,
    never_on: tuple[type[BaseException], ...],
    otherwise: RetryPolicy,
) -> RetryPolicy | None:
    """Return how an attempt is retried that failed with this exception; None for not at all.

    Raises TypeError when a function returns neither.
    """
    if isinstance(error, never_on):
        return None
    if isinstance(retry_on, Mapping):
        bases = (base for base in type(error).__mro__ if base in retry_on)
        nearest = next(bases, None)
        return retry_on[nearest] if nearest else otherwise
    policy = retry_on(error)
    if policy is not None and not isinstance(policy, RetryPolicy):
        raise TypeError(f"retry_on must return a RetryPolicy or None, not {type(policy).__name__}.")
    return policy
