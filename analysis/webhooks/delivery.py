"""Delivery of a reply: one HTTP request to the platform, bounded in time and size.

Neither tokens nor texts get into errors or the log.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
import requests

from analysis.outgoing.retry_after import requested_delay
from analysis.outgoing.session import session
from analysis.outgoing.watch import watched
from tasks.kinds import Context

CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 20.0
_LARGEST_ANSWER = 64 * 1024

# On DEBUG it logs addresses, and some have the token in their query.
logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)


class Unanswered(Exception):
    """The platform could not be reached, or did not answer in time."""


class DeliveryStatus(enum.Enum):
    """The meaning of the platform's answer to a delivery."""

    DELIVERED = "delivered"
    # The same request may succeed later.
    LATER = "later"
    REFUSED = "refused"

    @classmethod
    def of(cls, answer: Answer) -> DeliveryStatus:
        """Return what an answer's status code means on any platform."""
        if 200 <= answer.status < 300:
            return cls.DELIVERED
        may_pass = answer.status in (408, 409, 425, 429) or answer.status >= 500
        return cls.LATER if may_pass else cls.REFUSED


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """The request that delivers a reply; its body is sent as JSON."""

    url: str
    body: dict[str, Any]
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """The platform's answer; `retry_after` is in seconds, None without a requested delay."""

    status: int
    document: dict[str, Any]
    retry_after: float | None


def post(delivery: Delivery, context: Context) -> Answer:
    """Send a delivery and return the answer; raise Unanswered, and what `context.check()` raises.

    Redirects are not followed, because the request carries a token. Addresses are the operator's
    own settings, so they may be private.
    """
    with watched(context, seconds=TOTAL_SECONDS) as watch:
        try:
            answer = _exchange(delivery)
        except (requests.RequestException, OSError, ValueError) as error:
            context.check()
            name = "timeout" if watch.was_cut else type(error).__name__
            # Without its cause: the text of that has the address with the token.
            raise Unanswered(f"The platform did not answer ({name}).") from None
    if watch.was_cut:
        context.check()
        raise Unanswered("The platform did not answer in time.")
    return answer


def _exchange(delivery: Delivery) -> Answer:
    with session().post(
        delivery.url,
        params=dict(delivery.query),
        data=orjson.dumps(delivery.body),
        headers={"Content-Type": "application/json", **delivery.headers},
        # Without an `auth`, requests would replace our header by a password from .netrc.
        auth=_unchanged,
        timeout=(CONNECT_SECONDS, TOTAL_SECONDS),
        allow_redirects=False,
        stream=True,
    ) as response:
        body = b"".join(_chunks(response))
        return Answer(
            status=response.status_code,
            document=_document(body),
            retry_after=requested_delay(response.headers),
        )


def _unchanged(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _chunks(response: requests.Response) -> Iterator[bytes]:
    """Yield the body until it is longer than an answer may be."""
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
