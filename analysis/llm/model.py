"""Language model, called through a cache and a circuit breaker."""

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
from analysis.llm.answers import Answer, restored
from analysis.llm.openrouter import Message
from tasks.circuit_breaker import CircuitBreaker, CircuitOpen
from tasks.kinds import Context, Snooze

log = logging.getLogger(__name__)

PROVIDER = "openrouter"
KEPT_SECONDS = 24 * 3600
# The circuit's lease for a call must be longer than the call: seconds for all that is not waiting.
_MARGIN = 30.0
# Tasks that were postponed together return spread over this share of the delay.
_SPREAD = 0.25

_circuit = CircuitBreaker(PROVIDER)


def is_configured() -> bool:
    """Return whether there is a key for the provider."""
    return bool(settings.OPENROUTER_API_KEY)


def answer(messages: Sequence[Message], *, max_tokens: int, context: Context) -> Answer:
    """Return the model's answer to a conversation, from the cache if the call was made before.

    Raises Snooze for a rate limit or an open circuit, Retry for a failure that may pass, FatalError
    for a refusal, and what `context.check()` raises. Not for use within a transaction.
    """
    key = _key(messages, max_tokens)
    if cached := _cached(key):
        return cached
    context.progress(10, "calling the language model")
    try:
        with _circuit.permit(lease=settings.OPENROUTER_TIMEOUT + _MARGIN):
            completion = openrouter.complete(messages, max_tokens=max_tokens, context=context)
    except (CircuitOpen, Snooze) as error:
        seconds = error.retry_after if isinstance(error, CircuitOpen) else error.delay
        spread = 1 + _SPREAD * random.random()  # noqa: S311 spreads load, guards nothing
        raise Snooze(seconds * spread, str(error)) from None
    if completion.cacheable:
        # At once: if this worker dies before it ends the task, the next one need not call again.
        _store(key, completion)
    return completion


def _key(messages: Sequence[Message], max_tokens: int) -> str:
    call = [settings.OPENROUTER_BASE_URL, settings.OPENROUTER_MODEL, max_tokens, list(messages)]
    return f"llm:{hashlib.sha256(orjson.dumps(call)).hexdigest()}"


def _cached(key: str) -> Answer | None:
    try:
        fields = cache.get(key)
    except Exception as error:  # any error of any cache backend
        log.warning(
            "could not read the cache of answers; calling the language model",
            extra={"error": type(error).__name__},
        )
        close_old_connections()
        return None
    return restored(fields)


def _store(key: str, answer: Answer) -> None:
    fields = asdict(answer)
    del fields["cached"], fields["cacheable"]
    try:
        cache.set(key, fields, KEPT_SECONDS)
    except Exception as error:  # any error of any cache backend
        log.warning(
            "could not store an answer in the cache; the same text will need another paid call",
            extra={"error": type(error).__name__},
        )
        close_old_connections()
