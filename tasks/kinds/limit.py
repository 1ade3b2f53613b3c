"""Limits that a kind declares: how many tasks run at once, and how many start in a period."""

from __future__ import annotations

from dataclasses import dataclass

from tasks.limit_values import Rate, checked_burst, checked_concurrent, checked_path


@dataclass(frozen=True, kw_only=True)
class Limit:
    """At most `concurrent` tasks at once, and at most `rate` (such as `100/m`) in any period.

    With a `key`, the name of a field of the input, each value has a limit of its own. `burst` tasks
    may start together; the others follow at even distances. If `ordered`, tasks run one after
    another in the order of their submission: the next one starts when the one before has ended, so
    also after its last attempt. Raises ValueError for a limit that is not valid.
    """

    concurrent: int | None = None
    rate: str | None = None
    burst: int = 1
    key: str | None = None
    ordered: bool = False

    def __post_init__(self) -> None:
        if self.ordered:
            if self.rate is not None or self.concurrent not in (None, 1):
                raise ValueError("An ordered limit has neither concurrent nor rate.")
            object.__setattr__(self, "concurrent", 1)
        if self.concurrent is None and self.rate is None:
            raise ValueError("A limit needs concurrent, rate or both.")
        if self.concurrent is not None:
            checked_concurrent(self.concurrent)
        if self.per_period or self.burst != 1:
            checked_burst(self.burst, self.per_period)
        if self.key is not None:
            checked_path(self.key)

    @property
    def per_period(self) -> Rate | None:
        """Return the rate as numbers."""
        return None if self.rate is None else Rate.parse(self.rate)
