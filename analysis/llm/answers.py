"""Reading what the provider sends, and believing none of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from analysis.llm import errors
from analysis.llm.errors import ModelUnavailable
from analysis.outgoing import retry_after
from tasks.postgres.text import storable

_LONGEST_NAME = 200


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the language model said; `tokens` were paid for, `cut` tells that it wanted more."""

    text: str
    model: str
    tokens: int | None = None
    cut: bool = False
    cached: bool = False


def read(status: int, headers: Mapping[str, str], body: bytes, *, model: str) -> Answer:
    """Return the answer of a chat completion; raise what `errors` names for anything else."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if status != 200:
        raise errors.failure(status, pause=_pause(headers, document))
    if not isinstance(document, dict):
        raise ModelUnavailable(errors.UNREADABLE)
    # Once the model has begun to work, errors come with the status 200.
    if document.get("error"):
        raise errors.failure(_code(document["error"]), pause=_pause(headers, document))
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
                raise errors.failure(_code(choice.get("error")), pause=_pause({}, choice))
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
    # Some upstream providers' codes are words; what they mean is not known here.
    return code if type(code) is int and 400 <= code <= 599 else 502


def _pause(headers: Mapping[str, str], document: Any) -> float | None:
    """Look for a pause among the headers, and where errors repeat those of upstream."""
    match document:
        case {"error": {"metadata": {"headers": dict() as repeated}}}:
            return retry_after.asked_for(headers, repeated)
    return retry_after.asked_for(headers)


def _name(model: Any) -> str:
    return storable(model)[:_LONGEST_NAME] if isinstance(model, str) else ""


def _tokens(document: dict[str, Any]) -> int | None:
    match document.get("usage"):
        case {"total_tokens": int() as tokens} if 0 <= tokens < 2**53:
            return int(tokens)
    return None
