"""Answers of the provider, parsed without trusting any part of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from analysis.llm import errors
from analysis.llm.errors import ModelRefused, ModelUnavailable
from analysis.outgoing.retry_after import requested_delay
from tasks.postgres.text import storable

_LONGEST_NAME = 200


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The model's answer; `tokens` were charged, `cut` means that it may not be whole.

    It was cut at the length limit or by a filter, or ended for a reason that is not known. Only at
    the length limit would the same call be cut again, so other cut answers are not cacheable.
    """

    text: str
    model: str
    tokens: int | None = None
    cut: bool = False
    cached: bool = False
    cacheable: bool = True


def read(status: int, headers: Mapping[str, str], body: bytes, *, model: str) -> Answer:
    """Return the answer of a chat completion; raise an exception of `errors` for anything else."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if status != 200:
        raise _failure(status, headers, document)
    if not isinstance(document, dict):
        raise ModelUnavailable(errors.UNREADABLE)
    # Once the model has begun to work, errors come with the status 200.
    if document.get("error"):
        raise _failure(_code(document["error"]), headers, document)
    choice = _first_choice(document, headers)
    text = storable(_content(choice)).strip()
    is_declined = _is_declined(choice)
    if not text and is_declined:
        raise ModelRefused(errors.FILTERED)
    if not text:
        raise ModelUnavailable(errors.EMPTY)
    finish_reason = choice.get("finish_reason")
    return Answer(
        text=text,
        model=_name(document.get("model")) or model,
        tokens=_tokens(document),
        cut=finish_reason != "stop" or is_declined,
        cacheable=finish_reason in ("stop", "length") and not is_declined,
    )


def restored(fields: object) -> Answer | None:
    """Return an answer from the cache, or None for anything else that may stand there."""
    match fields:
        case {
            "text": str() as text,
            "model": str() as model,
            "tokens": int() | None as tokens,
            "cut": bool() as cut,
        }:
            return Answer(text=storable(text), model=model, tokens=tokens, cut=cut, cached=True)
    return None


def _first_choice(document: dict[str, Any], headers: Mapping[str, str]) -> dict[str, Any]:
    match document.get("choices"):
        case []:
            raise ModelUnavailable(errors.EMPTY)
        case [dict() as choice, *_]:
            if choice.get("error") or choice.get("finish_reason") == "error":
                raise _failure(_code(choice.get("error")), headers, choice)
            return choice
    raise ModelUnavailable(errors.UNREADABLE)


def _content(choice: dict[str, Any]) -> str:
    match choice.get("message"):
        case {"content": str() as text}:
            return text
        case {"content": list() as parts}:
            texts = (part.get("text") for part in parts if isinstance(part, dict))
            return "".join(text for text in texts if isinstance(text, str))
        case dict() as message if message.get("content") is None:
            return ""
    raise ModelUnavailable(errors.UNREADABLE)


def _is_declined(choice: dict[str, Any]) -> bool:
    """Return whether a filter or the model itself declines: the same call would end the same."""
    return choice.get("finish_reason") == "content_filter" or bool(choice["message"].get("refusal"))


def _failure(status: int, headers: Mapping[str, str], document: Any) -> Exception:
    """Return the exception for an error status; errors may repeat headers of upstream providers."""
    repeated: dict[str, Any] = {}
    match document:
        case {"error": {"metadata": {"headers": dict() as upstream}}}:
            repeated = upstream
    # These two are final without Retry-After: a reset may be that of next month's credit.
    delay = requested_delay(headers, repeated, reset_counts=status not in (402, 413))
    return errors.failure(status, retry_after=delay)


def _code(error: Any) -> int:
    code = error.get("code") if isinstance(error, dict) else None
    # Some upstream providers send words as codes; they count as a failure of the provider.
    return code if type(code) is int and 400 <= code <= 599 else 502


def _name(model: Any) -> str:
    return storable(model)[:_LONGEST_NAME] if isinstance(model, str) else ""


def _tokens(document: dict[str, Any]) -> int | None:
    match document.get("usage"):
        case {"total_tokens": int() as tokens} if 0 <= tokens < 2**53:
            return int(tokens)
    return None
