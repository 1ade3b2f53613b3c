"""A running system, asked as the documents ask it."""

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

# Seconds until a task must have ended, on a machine that does other things too.
PATIENCE = 60.0
TIMEOUT = 45.0


@dataclass
class Exchange:
    """A request, what was expected of its answer, and where the answer is different."""

    request: Written
    status: int
    content_type: str
    document: Any
    milliseconds: float
    expected: str = ""
    differences: list[str] = field(default_factory=list)

    def shows(self, status: int, expected: Any = None) -> Any:
        """Require a status and a document, None for an empty one; return what was answered."""
        self.expected = f"{status} {expected!r}" if expected is not None else str(status)
        self.differences = self.against(status, expected)
        assert not self.differences, f"{self.request}: " + "; ".join(self.differences)
        return self.document

    def against(self, status: int, expected: Any) -> list[str]:
        """Return where the answer is not as expected."""
        if self.status != status:
            return [f"status {self.status}, not {status}: {self.document!r}"[:400]]
        return list(differences(expected, self.document))


class Site:
    """The system at an address; `exchanges` holds what was asked and compared."""

    def __init__(self, url: str, *, key: str = "") -> None:
        self.url = url.rstrip("/")
        self.exchanges: list[Exchange] = []
        self._session = requests.Session()
        # Neither proxies nor ~/.netrc are for the examples.
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
        """Make the request that an example writes, its placeholders replaced by the values."""
        exchange = self._ask(notation.read(example).filled(**values))
        self.exchanges.append(exchange)
        return exchange

    def play_until(self, example: str, status: int, expected: Any, **values: str) -> Any:
        """Repeat a request until it is answered as expected; return the answer."""
        request = notation.read(example).filled(**values)
        exchange = self._ask(request)

        def arrived() -> bool:
            nonlocal exchange
            exchange = self._ask(request)
            return not exchange.against(status, expected)

        with suppress(AssertionError):
            wait_until(arrived, within=PATIENCE)
        self.exchanges.append(exchange)
        return exchange.shows(status, expected)

    def _ask(self, request: Written) -> Exchange:
        answer = self._session.request(
            request.method,
            self.url + request.path,
            headers=request.headers,
            data=request.body.encode() if request.body is not None else None,
            timeout=TIMEOUT,
            # Without a session the pages lead to the login; the API leads nowhere.
            allow_redirects=request.method == "GET",
        )
        content_type = answer.headers.get("Content-Type", "").partition(";")[0]
        return Exchange(
            request,
            answer.status_code,
            content_type,
            answer.json() if content_type.endswith("json") else answer.text or None,
            answer.elapsed.total_seconds() * 1000,
        )
