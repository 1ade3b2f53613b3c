"""The language model, as the kinds ask it: through a cache and a circuit breaker."""

from __future__ import annotations

import hashlib
import logging
import random
from collections.abc import Sequence
from dataclasses import asdict

import orjson
from django.conf import settings
from django.core.cache import cache
from django.db import close_old_connections

from analysis.llm import openrouter
from analysis.llm.answers import Answer
from analysis.llm.openrouter import Message
from tasks.circuit_breaker import CircuitBreaker, CircuitOpen
from tasks.kinds import Context, Snooze

log = logging.getLogger(__name__)

PROVIDER = "openrouter"
KEPT_SECONDS = 24 * 3600
# For what a call does beside waiting for the provider: its lease must outlast it.
_MARGIN = 30.0
# What was put off together comes back spread over so much more of the pause.
_SPREAD = 0.25

_circuit = CircuitBreaker(PROVIDER)


def is_configured() -> bool:
    """Say whether there is a key to a provider."""
    return bool(settings.OPENROUTER_API_KEY)


def ask(messages: Sequence[Message], *, max_tokens: int, context: Context) -> Answer:
    """Return the model's answer to a conversation, out of the cache if it was asked before.

    Ends the attempt as it should otherwise: Snooze for a limit of rate or an open circuit, Retry
    for a failure that may pass, FatalError for a refusal, and what `context.check()` raises.
    Not for use within a transaction.
    """
    key = _key(messages, max_tokens)
    if known := _recall(key):
        return known
    context.progress(10, "asking the language model")
    try:
        with _circuit.passage(lease=settings.OPENROUTER_TIMEOUT + _MARGIN):
            answer = openrouter.complete(messages, max_tokens=max_tokens, context=context)
    except (CircuitOpen, Snooze) as pause:
        seconds = pause.retry_after if isinstance(pause, CircuitOpen) else pause.delay
        spread = 1 + _SPREAD * random.random()  # noqa: S311 spreads load, guards nothing
        raise Snooze(seconds * spread, str(pause)) from None
    # At once: when this worker dies before its task is finished, the next need not ask again.
    _remember(key, answer)
    return answer


def _key(messages: Sequence[Message], max_tokens: int) -> str:
    asked = [settings.OPENROUTER_BASE_URL, settings.OPENROUTER_MODEL, max_tokens, list(messages)]
    return f"llm:{hashlib.sha256(orjson.dumps(asked)).hexdigest()}"


def _recall(key: str) -> Answer | None:
    try:
        kept = cache.get(key)
    except Exception as error:  # any cache's: without it the model is asked
        log.warning("cache not read", extra={"error": type(error).__name__})
        close_old_connections()
        return None
    return Answer(**kept, cached=True) if kept else None


def _remember(key: str, answer: Answer) -> None:
    kept = asdict(answer)
    del kept["cached"]
    try:
        cache.set(key, kept, KEPT_SECONDS)
    except Exception as error:  # any cache's: the answer is worth more than keeping it
        log.warning("cache not written", extra={"error": type(error).__name__})
        close_old_connections()
