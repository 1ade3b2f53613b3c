"""Calls of the language model."""

from __future__ import annotations

from analysis.llm import model
from analysis.llm.answers import Answer
from tasks.kinds import Context
from tests.factories import make_context


def answer(text: str, *, context: Context | None = None) -> Answer:
    """Return the model's answer to a text."""
    messages = [{"role": "user", "content": text}]
    return model.answer(messages, max_tokens=50, context=context or make_context())
