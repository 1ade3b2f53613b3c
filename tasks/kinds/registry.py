"""The registry of kinds: each has a handler, a schema for its input, and limits."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import jsonschema_rs
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from tasks.errors import FieldError, InvalidInput, UnknownKind
from tasks.kinds.context import Context
from tasks.kinds.retry_policy import RetryPolicy

Handler = Callable[[dict[str, Any], Context], dict[str, Any] | None]

_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*")
_REPORTED_ERRORS = 20


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of task: its handler and the limits under which it runs."""

    name: str
    handler: Handler
    description: str
    # JSON Schema (draft 2020-12) of the input; None accepts any object.
    input: Mapping[str, Any] | None = None
    queue: str = "default"
    priority: int = 0
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    # Seconds; from the settings when omitted.
    soft_time_limit: float = field(default_factory=lambda: settings.TASK_SOFT_TIME_LIMIT)
    time_limit: float = field(default_factory=lambda: settings.TASK_TIME_LIMIT)
    # Threads suit waiting. A process can be killed, and its crash ends only its own attempt.
    isolation: Literal["thread", "process"] = "thread"
    # MiB by which the process may grow, for kinds in processes; None for no limit.
    memory_limit: int | None = None
    # Waiting tasks of the kind may share one hand-over even when they are not very fast.
    batchable: bool = False
    # The handler's own database writes commit with the finish, or not at all.
    transactional: bool = False

    @cached_property
    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the input."""
        return dict(self.input) if self.input is not None else {"type": "object"}

    @cached_property
    def _validator(self) -> Any:
        return jsonschema_rs.validator_for(self.schema)

    def validate(self, value: Any) -> None:
        """Check an input against the schema; raise InvalidInput."""
        if self._validator.is_valid(value):
            return
        errors = [
            FieldError(".".join(["input", *map(str, error.instance_path)]), error.message[:300])
            for error, _ in zip(
                self._validator.iter_errors(value), range(_REPORTED_ERRORS), strict=False
            )
        ]
        raise InvalidInput(errors)


_registry: dict[str, Kind] = {}


def kind(name: str, **options: Any) -> Callable[[Handler], Handler]:
    """Register the decorated function as the handler of a kind; `options` are Kind's fields."""

    def register(handler: Handler) -> Handler:
        description = options.pop("description", None) or inspect.getdoc(handler) or name
        add(Kind(name=name, handler=handler, description=description, **options))
        return handler

    return register


def add(new: Kind) -> None:
    """Register a kind; raise ImproperlyConfigured when its definition is invalid."""
    if not _NAME.fullmatch(new.name) or len(new.name) > 100:
        raise ImproperlyConfigured(f"Invalid kind name {new.name!r}: use app.verb.")
    registered = _registry.get(new.name)
    if registered and registered.handler is not new.handler:
        raise ImproperlyConfigured(f"Two handlers are registered for the kind {new.name!r}.")
    if new.soft_time_limit > new.time_limit:
        raise ImproperlyConfigured(
            f"The kind {new.name!r} has a soft time limit above its hard one."
        )
    try:
        jsonschema_rs.validator_for(new.schema)
    except jsonschema_rs.ValidationError as error:
        raise ImproperlyConfigured(
            f"The input schema of the kind {new.name!r} is not valid: {error.message}"
        ) from error
    _registry[new.name] = new


def get(name: str) -> Kind:
    """Return the kind of this name; raise UnknownKind."""
    try:
        return _registry[name]
    except KeyError:
        raise UnknownKind(name) from None


def all_kinds() -> dict[str, Kind]:
    """Return every registered kind by name, sorted."""
    return dict(sorted(_registry.items()))
