"""OpenRouter's chat completions over HTTP, bounded in time and size.

Neither the key nor the prompt gets into errors or the log.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import requests
from django.conf import settings
from requests.auth import AuthBase

from analysis.llm import answers, errors
from analysis.llm.answers import Answer
from analysis.llm.errors import ModelUnavailable
from analysis.outgoing.session import session
from analysis.outgoing.watch import Watch, watched
from tasks.kinds import Context

CONNECT_SECONDS = 10.0
LARGEST_ANSWER = 2 * 1024 * 1024
_CHUNK = 64 * 1024

# Its warnings repeat parts of the answer.
logging.getLogger("urllib3.connection").setLevel(logging.ERROR)

# {"role": "system" | "user" | "assistant", "content": …}
Message = dict[str, str]


def complete(messages: Sequence[Message], *, max_tokens: int, context: Context) -> Answer:
    """Return the model's continuation of a conversation.

    Raises the exceptions of `errors`, and what `context.check()` raises. None of them has a cause,
    because its text might hold the key or the prompt.
    """
    limit = settings.OPENROUTER_TIMEOUT
    with watched(context, seconds=limit) as watch:
        try:
            status, headers, body = _post(messages, max_tokens=max_tokens, limit=limit)
        except (requests.Timeout, TimeoutError):
            context.check()
            raise ModelUnavailable(errors.TIMED_OUT) from None
        except (requests.RequestException, OSError, ValueError):
            _raise_if_cut(watch, context)
            raise ModelUnavailable(errors.UNREACHABLE) from None
    # A body without a length ends without an error when it is cut.
    _raise_if_cut(watch, context)
    return answers.read(status, headers, body, model=settings.OPENROUTER_MODEL)


def _raise_if_cut(watch: Watch, context: Context) -> None:
    """Raise the reason if the watch ended the call."""
    if watch.was_cut:
        context.check()
        raise ModelUnavailable(errors.TIMED_OUT) from None


def _post(
    messages: Sequence[Message], *, max_tokens: int, limit: float
) -> tuple[int, requests.structures.CaseInsensitiveDict[str], bytes]:
    completion = {
        "model": settings.OPENROUTER_MODEL,
        "messages": list(messages),
        "max_tokens": max_tokens,
    }
    with session().post(
        f"{settings.OPENROUTER_BASE_URL}/chat/completions",
        json=completion,
        auth=_Bearer(settings.OPENROUTER_API_KEY),
        timeout=(min(CONNECT_SECONDS, limit), limit),
        allow_redirects=False,
        stream=True,
    ) as response:
        return response.status_code, response.headers, _body(response)


def _body(response: requests.Response) -> bytes:
    """Read a body up to the limit; its Content-Length may be wrong or missing."""
    body = bytearray()
    for chunk in response.iter_content(_CHUNK):
        body += chunk
        if len(body) > LARGEST_ANSWER:
            raise ModelUnavailable(errors.TOO_LARGE)
    return bytes(body)


class _Bearer(AuthBase):
    """Sends the key; as an `auth`, so that requests does not use a password from .netrc."""

    def __init__(self, key: str) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._key}"
        return request
