"""Preparation: checked submissions, and the parameters of `submit.sql` for them."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any, Unpack

import orjson

from tasks import kinds
from tasks.errors import InvalidInput
from tasks.submission import Options, Owned, Submission


def prepare(
    kind: str, input: dict[str, Any] | None = None, **options: Unpack[Options]
) -> Submission:
    """Fill in the kind's defaults and check the submission.

    Raises UnknownKind; InvalidInput; TypeError for an option that does not exist.
    """
    if unknown := options.keys() - Options.__optional_keys__:
        raise TypeError(f"Unknown submission option: {', '.join(sorted(unknown))}.")
    registered = kinds.get(kind)
    registered.validate(input := {} if input is None else input)
    defaults: dict[str, Any] = {
        "queue": registered.queue,
        "priority": registered.priority,
        "max_attempts": registered.retry.max_retries + 1,
    }
    overrides = {name: value for name, value in options.items() if value is not None}
    submission = Submission(kind=registered.name, input=input, **defaults | overrides)
    if errors := list(submission.mistakes()):
        raise InvalidInput(errors)
    return submission


def submit_params(
    new: Iterable[Owned], *, batch_id: uuid.UUID | None = None, commits_at_once: bool = False
) -> dict[str, Any]:
    """Return the parameters of `submit.sql`: the submissions are one JSON document.

    `commits_at_once` is true when the statement is a transaction of its own.
    """
    rows = [
        vars(owned.submission)
        | {"owner_id": owned.owner_id, "fingerprint": owned.submission.fingerprint()}
        for owned in new
    ]
    return {
        "batch": batch_id,
        "commits_at_once": commits_at_once,
        "new": orjson.dumps(rows).decode(),
    }
