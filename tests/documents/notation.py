"""Requests in the documents' notations: a curl command, or method, path and body."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

JSON = "application/json"


@dataclass(frozen=True)
class Written:
    """A parsed request."""

    method: str
    # With the query, without the host, which differs in each run.
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def filled(self, **values: str) -> Written:
        """Return the request with its `{placeholders}` replaced."""
        path = self.path
        for name, value in values.items():
            path = path.replace(f"{{{name}}}", value)
        return replace(self, path=path)


def read(text: str) -> Written:
    """Parse a request in either notation."""
    text = text.strip()
    return _curl(text) if text.startswith("curl ") else _http(text)


def _curl(command: str) -> Written:
    method, url, headers, body = "", "", dict[str, str](), None
    words = iter(shlex.split(command)[1:])
    for word in words:
        if word == "-X":
            method = next(words)
        elif word == "-H":
            name, _, value = next(words).partition(":")
            headers[name] = value.strip()
        elif word == "-d":
            body = next(words)
            # curl's default, which the example's own header replaces.
            headers = {"Content-Type": "application/x-www-form-urlencoded", **headers}
        elif word.startswith("-") or url:
            raise ValueError(f"{word} in {command}")
        else:
            url = word
    parts = urlsplit(url)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    return Written(method or ("GET" if body is None else "POST"), path, headers, body)


def _http(text: str) -> Written:
    first, _, rest = text.partition("\n")
    method, _, path = first.partition(" ")
    # An example without a content type means JSON.
    headers = {}
    lines = rest.splitlines()
    while lines and not lines[0].lstrip().startswith(("{", "[")):
        name, _, value = lines.pop(0).partition(":")
        headers[name.strip()] = value.strip()
    body = "\n".join(lines).strip() or None
    if body is not None:
        headers = {"Content-Type": JSON, **headers}
    return Written(method, path.strip(), headers, body)
