"""Requests that mean the same work: which they are, for how long, and what a repetition does."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

import orjson

from tasks.delays import seconds
from tasks.limit_values import PATH_RULE, checked_path

Conflict = Literal["existing", "replace", "refuse"]

NAMED_PERIODS = ("waiting", "unfinished")
CONFLICTS = ("existing", "replace", "refuse")
KEY_LENGTH = 255
BY_LIMIT = 10
_FIELDS = {"key", "by", "while", "on_conflict", "longest_wait"}


@dataclass(frozen=True, kw_only=True)
class Unique:
    """At most one task of a kind and an owner with the same value, for as long as `while_` says.

    The value is a `key`, or the fields `by` of the input (names, or at most three joined by dots,
    in any order), or the whole input. `while_` is "waiting" (until a worker takes the task),
    "unfinished", or seconds since the task was submitted; a failed or cancelled task counts no
    longer. A request for another task gets the `existing` one, is refused (`refuse`), or changes
    the waiting one to what it asks for (`replace`): with a delay, each such request puts the start
    off again, until `longest_wait` seconds after the first. Raises ValueError for what is not
    valid.
    """

    key: str | None = None
    by: tuple[str, ...] | list[str] = ()
    while_: str | float = "unfinished"
    on_conflict: Conflict = "existing"
    longest_wait: float | None = None

    def __post_init__(self) -> None:
        if self.key is not None:
            self._check_key()
        self._check_by()
        if self.key is not None and self.by:
            raise ValueError("Use either key or by.")
        if self.while_ not in NAMED_PERIODS:
            self._check_period()
        if self.on_conflict not in CONFLICTS:
            raise ValueError("Its on_conflict must be existing, replace or refuse.")
        if self.on_conflict == "replace" and self.while_ != "waiting":
            raise ValueError(
                "Its on_conflict can be replace only with while: waiting; a task that has begun"
                " cannot be replaced."
            )
        if self.longest_wait is not None:
            self._check_longest_wait()

    def _check_key(self) -> None:
        key: Any = self.key
        if not isinstance(key, str) or not 0 < len(key) <= KEY_LENGTH or not key.isprintable():
            raise ValueError(f"Its key must have 1 to {KEY_LENGTH} printable characters.")

    def _check_by(self) -> None:
        by: Any = self.by
        if not isinstance(by, (tuple, list)) or len(by) > BY_LIMIT:
            raise ValueError(f"Its by must be a list of at most {BY_LIMIT} fields of the input.")
        for place, path in enumerate(by):
            try:
                checked_path(path)
            except ValueError:
                raise ValueError(f"Field {place} of its by is not valid. {PATH_RULE}") from None

    def _check_period(self) -> None:
        mistake = "Its while must be waiting, unfinished, or a number of seconds above 0."
        if isinstance(self.while_, str):
            raise ValueError(mistake)
        try:
            if seconds(self.while_) > 0:
                return
        except ValueError as error:
            raise ValueError(f"Its while {error}") from None
        raise ValueError(mistake)

    def _check_longest_wait(self) -> None:
        if self.on_conflict != "replace":
            raise ValueError("Its longest_wait needs on_conflict: replace.")
        try:
            seconds(self.longest_wait)
        except ValueError as error:
            raise ValueError(f"Its longest_wait {error}") from None

    @classmethod
    def parse(cls, value: Any) -> Unique:
        """Return a Unique, or the one that a JSON object describes; raise ValueError."""
        if isinstance(value, cls):
            return value
        if not isinstance(value, Mapping):
            raise ValueError("Must be an object, or a Unique.")
        if unknown := value.keys() - _FIELDS:
            raise ValueError(f"Unknown field: {', '.join(sorted(map(str, unknown)))}.")
        named = {("while_" if name == "while" else name): each for name, each in value.items()}
        return cls(**named)

    @property
    def period(self) -> float | None:
        """Return the seconds since the submit for which it holds; None if its end decides."""
        return None if isinstance(self.while_, str) else seconds(self.while_)

    @property
    def _hold(self) -> str:
        return self.while_ if isinstance(self.while_, str) else "period"

    def row(self, *, kind: str, owner_id: int | None, input: bytes) -> dict[str, Any]:
        """Return the values of a task's row, and the seconds of `longest_wait`, for orjson."""
        return {
            "unique_key": self.key_of(kind=kind, owner_id=owner_id, input=input),
            "unique_while": self._hold,
            "unique_for": self.period,
            "longest_wait": self.longest_wait,
        }

    def key_of(self, *, kind: str, owner_id: int | None, input: bytes) -> UUID:
        """Return the digest that two tasks share if and only if they must not exist together.

        `input` is JSON. Tasks of one owner, and those of different `while_`, count apart.
        """
        value: Any = self.key
        fields = sorted(set(self.by))
        if value is None:
            document = orjson.loads(input)
            value = [_at(path, document) for path in fields] if fields else document
        by = "key" if self.key is not None else fields
        return _digest(kind, owner_id, self._hold, by, value)


@dataclass(frozen=True, kw_only=True)
class Cache:
    """For how many seconds a result is used again for the same input: of its owner, or of all."""

    ttl: float
    is_shared: bool = False

    def key_of(self, *, kind: str, owner_id: int | None, input: bytes) -> str:
        """Return the text that tasks with the same result share; `input` is JSON."""
        owner = "all" if self.is_shared else owner_id
        return f"cache {self.ttl:g} {_digest(kind, owner, orjson.loads(input))}"


def _digest(*parts: Any) -> UUID:
    """Return a digest of JSON values; the order of an object's names makes no difference."""
    canonical = orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)
    return UUID(bytes=hashlib.blake2b(canonical, digest_size=16).digest())


def _at(path: str, document: Any) -> Any:
    """Return the value at a place in an input; None where there is none."""
    for name in path.split("."):
        if isinstance(document, list) and name.isdecimal() and len(name) < 10:
            place = int(name)
            document = document[place] if place < len(document) else None
        else:
            document = document.get(name) if isinstance(document, dict) else None
    return document
