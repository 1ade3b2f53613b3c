"""A running system, to which the documents' examples are sent."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import requests

from tests.documents import notation
from tests.documents.notation import Written
from tests.documents.shapes import differences
from tests.waiting import wait_until

# Seconds within which a task must end, on a busy machine.
PATIENCE = 60.0
TIMEOUT = 45.0


@dataclass
class Exchange:
    """A request, its response, and the differences from the expected response."""

    request: Written
    status: int
    content_type: str
    document: Any
    milliseconds: float
    expected: str = ""
    differences: list[str] = field(default_factory=list)

    def shows(self, status: int, expected: Any = None) -> Any:
        """Require a status and a document, None for an empty one; return the document."""
        self.expected = f"{status} {expected!r}" if expected is not None else str(status)
        self.differences = self.against(status, expected)
        assert not self.differences, f"{self.request}: " + "; ".join(self.differences)
        return self.document

    def against(self, status: int, expected: Any) -> list[str]:
        """Return the differences from the expected response."""
        if self.status != status:
            return [f"status {self.status}, not {status}: {self.document!r}"[:400]]
        return list(differences(expected, self.document))


class Site:
    """The system at a URL; `exchanges` holds the requests with their responses."""

    def __init__(self, url: str, *, key: str = "") -> None:
        self.url = url.rstrip("/")
        self.exchanges: list[Exchange] = []
        self._session = requests.Session()
        # The examples use neither proxies nor ~/.netrc.
        self._session.trust_env = False
        if key:
            self._session.headers["Authorization"] = f"Bearer {key}"

    def __enter__(self) -> Site:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._session.close()

    def play(self, example: str, **values: str) -> Exchange:
        """Send the request of an example, its placeholders replaced by the values."""
        exchange = self._send(notation.read(example).filled(**values))
        self.exchanges.append(exchange)
        return exchange

    def play_until(self, example: str, status: int, expected: Any, **values: str) -> Any:
        """Repeat a request until the response is as expected; return its document."""
        request = notation.read(example).filled(**values)
        exchange = self._send(request)

        def is_as_expected() -> bool:
            nonlocal exchange
            exchange = self._send(request)
            return not exchange.against(status, expected)

        with suppress(AssertionError):
            wait_until(is_as_expected, within=PATIENCE)
        self.exchanges.append(exchange)
        return exchange.shows(status, expected)

    def _send(self, request: Written) -> Exchange:
        response = self._session.request(
            request.method,
            self.url + request.path,
            headers=request.headers,
            data=request.body.encode() if request.body is not None else None,
            timeout=TIMEOUT,
            # Pages redirect to the login without a session; the API never redirects.
            allow_redirects=request.method == "GET",
        )
        content_type = response.headers.get("Content-Type", "").partition(";")[0]
        return Exchange(
            request,
            response.status_code,
            content_type,
            response.json() if content_type.endswith("json") else response.text or None,
            response.elapsed.total_seconds() * 1000,
        )
