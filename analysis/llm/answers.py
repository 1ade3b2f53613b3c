"""Answers of the provider, parsed without trusting any part of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from analysis.llm import errors
from analysis.llm.errors import ModelUnavailable
from analysis.outgoing.retry_after import requested_delay
from tasks.postgres.text import storable

_LONGEST_NAME = 200


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The model's answer; `tokens` were charged, `cut` means that it reached the length limit."""

    text: str
    model: str
    tokens: int | None = None
    cut: bool = False
    cached: bool = False


def read(status: int, headers: Mapping[str, str], body: bytes, *, model: str) -> Answer:
    """Return the answer of a chat completion; raise an exception of `errors` for anything else."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if status != 200:
        raise errors.failure(status, retry_after=_retry_after(headers, document))
    if not isinstance(document, dict):
        raise ModelUnavailable(errors.UNREADABLE)
    # Once the model has begun to work, errors come with the status 200.
    if document.get("error"):
        retry_after = _retry_after(headers, document)
        raise errors.failure(_code(document["error"]), retry_after=retry_after)
    choice = _first_choice(document)
    text = storable(_content(choice)).strip()
    if not text:
        raise ModelUnavailable(errors.EMPTY)
    return Answer(
        text=text,
        model=_name(document.get("model")) or model,
        tokens=_tokens(document),
        cut=choice.get("finish_reason") == "length",
    )


def _first_choice(document: dict[str, Any]) -> dict[str, Any]:
    match document.get("choices"):
        case []:
            raise ModelUnavailable(errors.EMPTY)
        case [dict() as choice, *_]:
            if choice.get("error") or choice.get("finish_reason") == "error":
                retry_after = _retry_after({}, choice)
                raise errors.failure(_code(choice.get("error")), retry_after=retry_after)
            return choice
    raise ModelUnavailable(errors.UNREADABLE)


def _content(choice: dict[str, Any]) -> str:
    match choice.get("message"):
        case {"content": str() as text}:
            return text
        case {"content": list() as parts}:
            texts = (part.get("text") for part in parts if isinstance(part, dict))
            return "".join(text for text in texts if isinstance(text, str))
        case {"content": None}:
            return ""
    raise ModelUnavailable(errors.UNREADABLE)


def _code(error: Any) -> int:
    code = error.get("code") if isinstance(error, dict) else None
    # Some upstream providers send words as codes; they count as a failure of the provider.
    return code if type(code) is int and 400 <= code <= 599 else 502


def _retry_after(headers: Mapping[str, str], document: Any) -> float | None:
    """Return the delay in the headers, or in those of the upstream provider that errors repeat."""
    match document:
        case {"error": {"metadata": {"headers": dict() as repeated}}}:
            return requested_delay(headers, repeated)
    return requested_delay(headers)


def _name(model: Any) -> str:
    return storable(model)[:_LONGEST_NAME] if isinstance(model, str) else ""


def _tokens(document: dict[str, Any]) -> int | None:
    match document.get("usage"):
        case {"total_tokens": int() as tokens} if 0 <= tokens < 2**53:
            return int(tokens)
    return None
