"""The registry of kinds: each has a handler, a schema for its input, and limits."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import jsonschema_rs
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from tasks.delays import DELAY_LIMIT
from tasks.errors import InvalidInput, UnknownKind
from tasks.kinds.context import Context
from tasks.kinds.limit import Limit
from tasks.kinds.retry_policy import RetryPolicy, RetryRules, policy_for
from tasks.schema_errors import field_errors
from tasks.submission import checked_options
from tasks.unique import Cache, Unique

Handler = Callable[[dict[str, Any], Context], dict[str, Any] | None]

# Days; a hundred years.
RETENTION_LIMIT = 36_500
_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*")


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
    # For exceptions of some classes other policies than `retry`, and classes that are not retried.
    # No policy allows more attempts than the task has, which come from `retry` or its request.
    retry_on: RetryRules = field(default_factory=dict)
    never_on: tuple[type[BaseException], ...] = ()
    # All of them hold at once. Operators can change them; a changed declaration then counts again.
    limit: Limit | tuple[Limit, ...] = ()
    # At most one task with the same value; a request may name another rule.
    unique: Unique | None = None
    # Seconds from the submit after which a task that has not begun is cancelled; None for never.
    expires_in: float | None = None
    # Seconds for which the result of a completed task is that of every task with the same input, of
    # the same owner or, when shared, of all; None for never.
    cache_ttl: float | None = None
    cache_shared: bool = False
    # Days for which its tasks are kept after their end, 0 for without limit; None: as the settings
    # say. It is that of the submit: a change applies to tasks that are submitted since.
    retention_days: int | None = None
    # Seconds; from the settings when omitted.
    soft_time_limit: float = field(default_factory=lambda: settings.TASK_SOFT_TIME_LIMIT)
    time_limit: float = field(default_factory=lambda: settings.TASK_TIME_LIMIT)
    # Threads suit waiting. A process can be killed, and its crash ends only its own attempt.
    isolation: Literal["thread", "process"] = "thread"
    # MiB by which the process may grow, for kinds in processes; None for no limit.
    memory_limit: int | None = None
    # The handler's own database writes commit with the finish, or not at all.
    transactional: bool = False
    # Whether clients see the texts of the handler's unexpected exceptions. Those of FatalError,
    # Retry, Snooze and Cancel are always shown; operators also see the traceback.
    public_errors: bool = True

    @cached_property
    def defaults(self) -> dict[str, Any]:
        """Return the options of a submission that names none; raise InvalidInput."""
        optional = {"unique": self.unique, "expires_in": self.expires_in}
        return checked_options(
            {
                "queue": self.queue,
                "priority": self.priority,
                "max_attempts": self.retry.max_retries + 1,
                **{name: value for name, value in optional.items() if value is not None},
            }
        )

    @cached_property
    def cache(self) -> Cache | None:
        """Return how results are used again; None for a kind without a cache."""
        if self.cache_ttl is None:
            return None
        return Cache(ttl=float(self.cache_ttl), is_shared=self.cache_shared)

    @cached_property
    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the input."""
        return dict(self.input) if self.input is not None else {"type": "object"}

    @cached_property
    def _validator(self) -> Any:
        return jsonschema_rs.validator_for(self.schema)

    def policy_for(self, error: BaseException) -> RetryPolicy | None:
        """Return how an attempt is retried that failed with this exception; None for not at all."""
        return policy_for(
            error, retry_on=self.retry_on, never_on=self.never_on, otherwise=self.retry
        )

    @property
    def limits(self) -> tuple[Limit, ...]:
        """Return the declared limits."""
        return (self.limit,) if isinstance(self.limit, Limit) else self.limit

    def validate(self, value: Any) -> None:
        """Check an input against the schema; raise InvalidInput."""
        if errors := field_errors(self._validator, value, under="input"):
            raise InvalidInput(errors)


_registry: dict[str, Kind] = {}


def kind(name: str, **options: Any) -> Callable[[Handler], Handler]:
    """Register the decorated function as the handler of a kind; `options` are Kind's fields."""

    if not isinstance(name, str):
        raise ImproperlyConfigured('A kind needs a name: use @kind("app.verb") with the handler.')

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
    if mistake := _mistake_in(new):
        raise ImproperlyConfigured(f"The kind {new.name!r} {mistake}")
    _registry[new.name] = new


def _mistake_in(new: Kind) -> str | None:
    """Return what is wrong with a definition, as the end of a sentence."""
    if mistake := _mistake_in_handler(new.handler):
        return mistake
    for name in ("soft_time_limit", "time_limit"):
        if not _is_number(limit := getattr(new, name)) or not 0 < limit <= DELAY_LIMIT:
            return f"has an invalid {name}: use a number of seconds above 0."
    if new.memory_limit is not None and not (_is_number(new.memory_limit) and new.memory_limit > 0):
        return "has an invalid memory_limit: use a number of MiB above 0, or None."
    if new.cache_ttl is not None and not (
        _is_number(new.cache_ttl) and 0 < new.cache_ttl <= DELAY_LIMIT
    ):
        return "has an invalid cache_ttl: use seconds above 0, at most ten years, or None."
    if new.cache_shared and new.cache_ttl is None:
        return "has cache_shared, which needs a cache_ttl."
    if new.retention_days is not None and not _is_days(new.retention_days):
        return (
            f"has an invalid retention_days: use a whole number from 0 to {RETENTION_LIMIT:,},"
            " or None."
        )
    for name in ("transactional", "public_errors", "cache_shared"):
        if not isinstance(getattr(new, name), bool):
            return f"has an invalid {name}: use True or False."
    if not _is_policy(new.retry):
        return "has an invalid retry: use a RetryPolicy with a whole number of max_retries."
    if mistake := _mistake_in_rules(new.retry_on, new.never_on):
        return mistake
    if mistake := _mistake_in_limits(new.limit):
        return mistake
    if not isinstance(new.unique, Unique | None):
        return "has an invalid unique: use a Unique."
    if new.soft_time_limit > new.time_limit:
        return "has a soft time limit above its hard one."
    if new.isolation not in ("thread", "process"):
        return f"has an invalid isolation {new.isolation!r}: use 'thread' or 'process'."
    try:
        _ = new.defaults
    except InvalidInput as error:
        return f"has an invalid default: {error}"
    try:
        jsonschema_rs.validator_for(new.schema)
    except (jsonschema_rs.ValidationError, TypeError, ValueError) as error:
        message = getattr(error, "message", error)
        return f"has an input schema that is not valid: {message}"
    return None


def _mistake_in_rules(retry_on: Any, never_on: Any) -> str | None:
    if not isinstance(never_on, tuple) or not all(map(_is_exception, never_on)):
        return "has an invalid never_on: use a tuple of exception classes."
    if callable(retry_on):
        return None
    if not isinstance(retry_on, Mapping):
        return "has an invalid retry_on: use a dict of exception classes, or a function."
    if not all(map(_is_exception, retry_on)):
        return "has an invalid retry_on: its keys must be exception classes."
    if not all(map(_is_policy, retry_on.values())):
        return "has an invalid retry_on: its values must be RetryPolicies."
    if both := retry_on.keys() & set(never_on):
        names = ", ".join(sorted(each.__name__ for each in both))
        return f"has the same exception in retry_on and never_on: {names}."
    return None


def _mistake_in_limits(limit: Any) -> str | None:
    limits = limit if isinstance(limit, tuple) else (limit,)
    if not all(isinstance(each, Limit) for each in limits):
        return "has an invalid limit: use a Limit, or a tuple of them."
    if len({each.key for each in limits}) < len(limits):
        return "has two limits with the same key: combine them."
    if sum(each.ordered for each in limits) > 1:
        return "has two ordered limits: tasks would wait for each other."
    return None


def _is_policy(value: Any) -> bool:
    return isinstance(value, RetryPolicy) and isinstance(value.max_retries, int)


def _is_exception(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, Exception)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_days(value: Any) -> bool:
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    return is_whole and 0 <= value <= RETENTION_LIMIT


def _mistake_in_handler(handler: Any) -> str | None:
    if not callable(handler) or inspect.isclass(handler):
        return "has a handler that is not a function."
    unwrapped = inspect.unwrap(handler)
    while isinstance(unwrapped, functools.partial):
        unwrapped = unwrapped.func
    is_function = inspect.isfunction(unwrapped) or inspect.ismethod(unwrapped)
    function = unwrapped if is_function else getattr(unwrapped, "__call__", None)  # noqa: B004
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        return "has an async handler: write it with def; it runs in a thread or process of its own."
    if inspect.isgeneratorfunction(function):
        return "has a handler that yields: return the result, and report with context.progress()."
    try:
        inspect.signature(handler).bind({}, None)
    except TypeError as error:
        return f"has a handler that cannot be called with (input, context): {error}."
    except ValueError:
        # A callable written in C may have no signature to check.
        return None
    return None


def get(name: str) -> Kind:
    """Return the kind of this name; raise UnknownKind."""
    try:
        return _registry[name]
    except KeyError:
        raise UnknownKind(name) from None


def all_kinds() -> dict[str, Kind]:
    """Return every registered kind by name, sorted."""
    return dict(sorted(_registry.items()))
