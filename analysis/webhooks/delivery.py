"""A reply on its way to a platform: one call, bounded in time, silent about keys and texts."""

from __future__ import annotations

import enum
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
import requests

from analysis.outgoing.retry_after import asked_for
from analysis.outgoing.session import session
from analysis.outgoing.watch import watched
from tasks.kinds import Context

CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 20.0
_LARGEST_ANSWER = 64 * 1024

# Its lines have the address with the token in its query.
logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)


class Unanswered(Exception):
    """The platform could not be reached, or did not answer in time."""


class Verdict(enum.Enum):
    """What becomes of a reply."""

    DELIVERED = "delivered"
    # The same call may succeed later.
    LATER = "later"
    REFUSED = "refused"

    @classmethod
    def of(cls, answer: Answer) -> Verdict:
        """Return what an answer's status means on any platform."""
        if 200 <= answer.status < 300:
            return cls.DELIVERED
        may_pass = answer.status in (408, 409, 425, 429) or answer.status >= 500
        return cls.LATER if may_pass else cls.REFUSED


@dataclass(frozen=True, kw_only=True)
class Letter:
    """A call to be made; its body is sent as JSON."""

    url: str
    body: dict[str, Any]
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the platform said; `pause` is for how long it wants to be left alone, in seconds."""

    status: int
    document: dict[str, Any]
    pause: float | None


def post(letter: Letter, context: Context) -> Answer:
    """Send a letter and return the answer; raise Unanswered, and what `context.check()` does.

    A redirection is an answer: nobody follows it with a token in hand. Addresses are the
    operator's own settings, so they may be private.
    """
    with watched(context, seconds=TOTAL_SECONDS) as watch:
        try:
            answer = _exchange(letter)
        except (requests.RequestException, OSError, ValueError) as error:
            context.check()
            name = "timeout" if watch.was_cut else type(error).__name__
            # Without its cause, whose text has the address with the token.
            raise Unanswered(f"The platform did not answer ({name}).") from None
    if watch.was_cut:
        context.check()
        raise Unanswered("The platform did not answer in time.")
    return answer


def _exchange(letter: Letter) -> Answer:
    with session().post(
        letter.url,
        params=dict(letter.query),
        data=orjson.dumps(letter.body),
        headers={"Content-Type": "application/json", **letter.headers},
        # Lest a password of a .netrc takes the place of our own header.
        auth=_unchanged,
        timeout=(CONNECT_SECONDS, TOTAL_SECONDS),
        allow_redirects=False,
        stream=True,
    ) as response:
        body = b"".join(_bounded(response))
        return Answer(
            status=response.status_code,
            document=_document(body),
            pause=asked_for(response.headers),
        )


def _unchanged(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _bounded(response: requests.Response) -> Any:
    left = _LARGEST_ANSWER
    for chunk in response.iter_content(8192):
        yield chunk
        left -= len(chunk)
        if left < 0:
            return


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}
