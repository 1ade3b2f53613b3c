"""Preparation: checked submissions, and how `submit.sql` writes them."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable
from typing import Any, LiteralString, Unpack

import orjson

from tasks import kinds, sql
from tasks.errors import FieldError, InvalidInput
from tasks.submission import (
    INPUT_LIMIT,
    Options,
    Owned,
    Submission,
    checked_options,
    document,
)


def prepare(
    kind: str, input: dict[str, Any] | None = None, **options: Unpack[Options]
) -> Submission:
    """Fill in the kind's defaults and check the submission.

    Raises UnknownKind; InvalidInput; TypeError for an option that does not exist.
    """
    value = {} if input is None else input
    new = prepare_unchecked(kind, value, **options)
    registered = kinds.get(kind)
    try:
        registered.validate(value)
    except (TypeError, ValueError):
        # A type that JSON does not have, such as an own class of text, became one that it has.
        registered.validate(orjson.loads(new.input))
    return new


def prepare_unchecked(kind: str, input: dict[str, Any], **options: Unpack[Options]) -> Submission:
    """Prepare a task with an input that is completed, and checked, only when it starts.

    Raises as `prepare` does, for all but the input's own rules.
    """
    if unknown := options.keys() - Options.__optional_keys__:
        raise TypeError(f"Unknown submission option: {', '.join(sorted(unknown))}.")
    registered = kinds.get(kind)
    stored = document(input, field="input", limit=INPUT_LIMIT)
    chosen = checked_options({name: value for name, value in options.items() if value is not None})
    values = registered.defaults | chosen
    _check_times(values)
    return Submission(
        kind=registered.name,
        input=stored,
        cache=registered.cache,
        keep_days=registered.retention_days,
        **values,
    )


def _check_times(values: dict[str, Any]) -> None:
    """Raise InvalidInput for times that contradict each other, those of the kind included."""
    delay = values.get("delay")
    if due := values.get("scheduled_at"):
        delay = (due - dt.datetime.now(dt.UTC)).total_seconds()
    if delay is None:
        return
    expires_in, unique = values.get("expires_in"), values.get("unique")
    if expires_in is not None and delay >= expires_in:
        mistake = f"The task would expire before its start: after {expires_in:g} s."
        raise InvalidInput([FieldError("expires_in", mistake)])
    if unique and unique.longest_wait is not None and delay > unique.longest_wait:
        mistake = f"Its longest_wait of {unique.longest_wait:g} s is shorter than the delay."
        raise InvalidInput([FieldError("unique", mistake)])


def submit_statement(new: Iterable[Owned]) -> LiteralString:
    """Return the statement that writes the submissions and their jobs."""
    return sql.SUBMIT_KEYED if any(owned.submission.may_repeat for owned in new) else sql.SUBMIT


def submit_params(
    new: Iterable[Owned], *, batch_id: uuid.UUID | None = None, commits_at_once: bool = False
) -> dict[str, Any]:
    """Return the parameters of `submit.sql`: the submissions are one JSON document.

    `commits_at_once` is true when the statement is a transaction of its own.
    """
    rows = [owned.submission.row(owner_id=owned.owner_id) for owned in new]
    return {
        "batch": batch_id,
        "commits_at_once": commits_at_once,
        "new": orjson.dumps(rows).decode(),
    }
