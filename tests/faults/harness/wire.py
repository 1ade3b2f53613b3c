"""PostgreSQL's wire protocol, as far as a proxy needs it to recognise statements.

https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

from __future__ import annotations

import struct

_TYPED_HEADER = 5
_SSL_REQUEST = 80877103
_GSS_REQUEST = 80877104
_PROTOCOL = 3


class ClientSide:
    """Follows what a client sends: which statements run, and how many answers are due."""

    def __init__(self) -> None:
        self._buffer = b""
        self._started = False
        self._statements: dict[bytes, bytes] = {}
        self._portals: dict[bytes, bytes] = {}
        # A server answers each of these with one byte instead of a message.
        self.bare_answers = 0
        # ReadyForQuery comes once after the start and once for each Query or Sync.
        self.rounds = 1

    def feed(self, data: bytes) -> list[tuple[bytes, int]]:
        """Return each statement that begins to run, and the number of the round that ends it."""
        self._buffer += data
        started: list[bytes] = []
        rounds: list[tuple[bytes, int]] = []
        while (message := self._next()) is not None:
            kind, body = message
            if sql := self._executed(kind, body):
                started.append(sql)
            if kind in (b"Q", b"S"):
                self.rounds += 1
                rounds += [(sql, self.rounds) for sql in started]
                started = []
        # Statements without a Sync yet end with the next round.
        return rounds + [(sql, self.rounds + 1) for sql in started]

    def _next(self) -> tuple[bytes, bytes] | None:
        skipped = 1 if self._started else 0
        if len(self._buffer) < skipped + 4:
            return None
        (length,) = struct.unpack_from("!I", self._buffer, skipped)
        if len(self._buffer) < skipped + length:
            return None
        kind, body = self._buffer[:skipped], self._buffer[skipped + 4 : skipped + length]
        self._buffer = self._buffer[skipped + length :]
        if not self._started:
            self._begin(body)
        return kind, body

    def _begin(self, body: bytes) -> None:
        (code,) = struct.unpack_from("!I", body)
        if code in (_SSL_REQUEST, _GSS_REQUEST):
            self.bare_answers += 1
        self._started = code >> 16 == _PROTOCOL

    def _executed(self, kind: bytes, body: bytes) -> bytes | None:
        """Return the statement that this message runs, if it runs one."""
        if kind == b"Q":
            return body.rstrip(b"\0")
        if kind == b"P":
            name, sql, _ = body.split(b"\0", 2)
            self._statements[name] = sql
        elif kind == b"B":
            portal, name, _ = body.split(b"\0", 2)
            self._portals[portal] = self._statements.get(name, b"")
        elif kind == b"E":
            return self._portals.get(body.split(b"\0", 1)[0])
        return None


class ServerSide:
    """Follows what a server answers: how many rounds it has ended."""

    def __init__(self, client: ClientSide) -> None:
        self._client = client
        self._buffer = b""
        self.rounds = 0

    def feed(self, data: bytes) -> None:
        """Count the rounds that end in what came."""
        self._buffer += data
        while self._client.bare_answers and self._buffer:
            self._buffer = self._buffer[1:]
            self._client.bare_answers -= 1
        at = 0
        while len(self._buffer) - at >= _TYPED_HEADER:
            (length,) = struct.unpack_from("!I", self._buffer, at + 1)
            if len(self._buffer) - at <= length:
                break
            self.rounds += self._buffer[at : at + 1] == b"Z"
            at += 1 + length
        self._buffer = self._buffer[at:]
