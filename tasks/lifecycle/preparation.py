"""From what a caller asks for to a checked submission, and from submissions to `submit.sql`."""

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
    """Fill in the kind's defaults and check everything.

    Raises UnknownKind; InvalidInput; TypeError for an option that does not exist.
    """
    if unknown := options.keys() - Options.__optional_keys__:
        raise TypeError(f"A submission has no option {', '.join(sorted(unknown))}.")
    known = kinds.get(kind)
    known.validate(input := {} if input is None else input)
    defaults: dict[str, Any] = {
        "queue": known.queue,
        "priority": known.priority,
        "max_attempts": known.retry.max_retries + 1,
    }
    given = {name: value for name, value in options.items() if value is not None}
    submission = Submission(kind=known.name, input=input, **defaults | given)
    if errors := list(submission.mistakes()):
        raise InvalidInput(errors)
    return submission


def submit_params(
    new: Iterable[Owned], *, batch_id: uuid.UUID | None = None, commits_at_once: bool = False
) -> dict[str, Any]:
    """Return the parameters of `submit.sql`: the submissions are one JSON document.

    `commits_at_once` is true where the statement is a transaction of its own.
    """
    rows = [
        vars(one.submission)
        | {"owner_id": one.owner_id, "fingerprint": one.submission.fingerprint()}
        for one in new
    ]
    return {
        "batch": batch_id,
        "commits_at_once": commits_at_once,
        "new": orjson.dumps(rows).decode(),
    }
