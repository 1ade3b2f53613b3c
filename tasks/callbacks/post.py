"""One POST to a receiver: to the address that was checked, within a bounded time."""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache

from django.conf import settings

from tasks.callback_address import Receiver, Refused, may_reach

# Seconds.
LOOK_UP_LIMIT = 5.0
CONNECT_LIMIT = 5.0
TOTAL_LIMIT = 15.0
_TRIED_ADDRESSES = 3


class NoAnswer(Exception):
    """The receiver could not be reached, or did not answer in time."""


@dataclass(frozen=True)
class Answer:
    """A receiver's answer; its body is not read."""

    status: int
    retry_after: str | None


def post(receiver: Receiver, *, body: bytes, headers: Mapping[str, str]) -> Answer:
    """Send a body and return the answer; raise NoAnswer, or Refused for a forbidden address.

    A redirect is an answer like any other and is not followed. The whole call lasts at most
    TOTAL_LIMIT seconds, whatever the receiver does.
    """
    end = time.monotonic() + TOTAL_LIMIT
    addresses = resolve(receiver.host, receiver.port)
    try:
        with closing(_connect(addresses, receiver.port)) as plain, _cut_off(plain, at=end):
            answer = _exchange(plain, receiver, body=body, headers=headers)
        if time.monotonic() >= end:
            # An answer that was cut off may look complete.
            raise TimeoutError
        return answer
    except (OSError, http.client.HTTPException) as error:
        late = time.monotonic() >= end
        failure = (
            "did not answer in time" if late else f"could not be reached ({type(error).__name__})"
        )
        raise NoAnswer(f"The receiver {failure}.") from error


def resolve(host: str, port: int) -> list[str]:
    """Return a host's addresses, all of them allowed; raise NoAnswer or Refused."""
    answer: Future[list[str]] = Future()
    # In its own thread, because a look-up can be neither bounded nor stopped.
    threading.Thread(target=_look_up, args=(host, port, answer), daemon=True).start()
    try:
        addresses = answer.result(LOOK_UP_LIMIT)
    except (OSError, UnicodeError) as error:
        raise NoAnswer("The receiver's name could not be resolved.") from error
    for address in addresses:
        parsed = ipaddress.ip_address(address)
        if not may_reach(parsed, private=settings.CALLBACK_ALLOW_PRIVATE):
            raise Refused(
                "The receiver's name resolves to an address to which callbacks are not allowed."
            )
    return addresses


def _look_up(host: str, port: int, answer: Future[list[str]]) -> None:
    try:
        entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        answer.set_result([str(entry[4][0]) for entry in entries])
    except Exception as error:  # raised in the thread that waits
        answer.set_exception(error)


def _connect(addresses: list[str], port: int) -> socket.socket:
    error: OSError = OSError("The receiver's name has no address.")
    tried = addresses[:_TRIED_ADDRESSES]
    for address in tried:
        try:
            return socket.create_connection((address, port), CONNECT_LIMIT / len(tried))
        except OSError as failed:
            error = failed
    raise error


@contextmanager
def _cut_off(connection: socket.socket, *, at: float) -> Iterator[None]:
    """Shut a connection down at a moment, even if the receiver answers byte by byte."""
    with connection.dup() as duplicate:
        timer = threading.Timer(at - time.monotonic(), _shut_down, [duplicate])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            # Wait for a shutdown that has begun, so that it hits no other connection.
            timer.join()


def _shut_down(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        # The receiver has closed it already.
        return


def _exchange(
    plain: socket.socket, receiver: Receiver, *, body: bytes, headers: Mapping[str, str]
) -> Answer:
    plain.settimeout(TOTAL_LIMIT)
    with closing(http.client.HTTPConnection(receiver.host, receiver.port)) as connection:
        connection.sock = _secured(plain, receiver.host) if receiver.is_secure else plain
        connection.request(
            "POST", receiver.path, body=body, headers={"Host": receiver.authority, **headers}
        )
        response = connection.getresponse()
        return Answer(response.status, response.getheader("Retry-After"))


def _secured(plain: socket.socket, host: str) -> ssl.SSLSocket:
    """Return a TLS connection; the receiver has proved its name by a certificate."""
    return _tls().wrap_socket(plain, server_hostname=host)


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()
