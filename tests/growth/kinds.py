"""Inputs that grow, for every kind that takes one; the length is that of the longest text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.growth.parsers import messenger, user_message

Input = Callable[[str], dict[str, Any]]


def _message(text: str) -> str:
    """Return as much of a text as a message may have, and never a blank one."""
    return f"a{text}"[:10_000]


GROWING: Mapping[str, tuple[Input, int]] = {
    "text.analyze": (lambda text: {"text": text}, 64_000),
    "text.summarize": (lambda text: {"content": f"a{text}"[:200_000]}, 32_000),
    "compute": (lambda text: {"operation": "sum", "input": [1] * (len(text) // 2)}, 200_000),
    "vectors.index": (lambda text: {"vector_data": [[1.0] * 20] * (len(text) // 100)}, 10_000),
    "conversation.message": (lambda text: {"message": _message(text)}, 10_000),
    "conversation.interaction": (
        lambda text: {"platform": "facebook", "sender": text[:200], "message": _message(text)},
        10_000,
    ),
    "conversation.continue": (
        lambda text: {"conversation_id": text[:200], "message": _message(text)},
        10_000,
    ),
    "conversation.batch_analysis": (
        lambda text: {"conversation_ids": [text[:100]] * (len(text) // 100)},
        10_000,
    ),
    "webhook.facebook": (lambda text: {"payload": messenger(text)}, 2_000),
    "webhook.google": (lambda text: {"payload": user_message(text)}, 20_000),
    "webhook.generic": (lambda text: {"payload": {"id": text, "message": text}}, 20_000),
}
# Their input is an id or a number of days or hours.
FIXED = frozenset(
    {
        "alert.mail",
        "alert.webhook",
        "analytics.conversations",
        "analytics.performance",
        "callback.deliver",
        "maintenance.cleanup",
        "webhook.respond",
        "workflow.gather",
    }
)
