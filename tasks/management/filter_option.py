"""Options of commands that filter: each is given once and has a value."""

from __future__ import annotations

from argparse import Action, ArgumentError, ArgumentParser, Namespace
from typing import Any

from tasks.filter_values import mistake_in


class FilterOption(Action):
    """Store a value; fail if the option is repeated, or empty as an unset shell variable is."""

    def __call__(
        self, parser: ArgumentParser, namespace: Namespace, value: Any, option: str | None = None
    ) -> None:
        mistake = mistake_in(value)
        if getattr(namespace, self.dest) is not None:
            mistake = "The option is repeated."
        if mistake:
            raise ArgumentError(self, mistake)
        setattr(namespace, self.dest, value)
