"""One POST to a receiver: to the very address that was checked, within a time that ends."""

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
    """What a receiver said; of its body nothing is read."""

    status: int
    retry_after: str | None


def post(receiver: Receiver, *, body: bytes, headers: Mapping[str, str]) -> Answer:
    """Send a body and return the answer; raise NoAnswer, or Refused for a forbidden address.

    A redirection is an answer like any other: nobody follows it. Everything together lasts at most
    TOTAL_LIMIT seconds, whatever the receiver does.
    """
    end = time.monotonic() + TOTAL_LIMIT
    addresses = resolve(receiver.host, receiver.port)
    try:
        with closing(_connect(addresses, receiver.port)) as plain, _cut_off(plain, at=end):
            answer = _exchange(plain, receiver, body=body, headers=headers)
        if time.monotonic() >= end:
            # Half an answer that was cut off looks like a whole one.
            raise TimeoutError
        return answer
    except (OSError, http.client.HTTPException) as error:
        late = time.monotonic() >= end
        said = (
            "did not answer in time" if late else f"could not be reached ({type(error).__name__})"
        )
        raise NoAnswer(f"The receiver {said}.") from error


def resolve(host: str, port: int) -> list[str]:
    """Return a host's addresses, all of them allowed; raise NoAnswer or Refused."""
    answer: Future[list[str]] = Future()
    # A thread of its own, since a look-up can be neither bounded nor stopped.
    threading.Thread(target=_look_up, args=(host, port, answer), daemon=True).start()
    try:
        found = answer.result(LOOK_UP_LIMIT)
    except (OSError, UnicodeError) as error:
        raise NoAnswer("The receiver's name could not be resolved.") from error
    for address in found:
        where = ipaddress.ip_address(address)
        if not may_reach(where, private=settings.CALLBACK_ALLOW_PRIVATE):
            raise Refused("The receiver's name leads to an address that callbacks may not reach.")
    return found


def _look_up(host: str, port: int, answer: Future[list[str]]) -> None:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        answer.set_result([str(one[4][0]) for one in found])
    except Exception as error:  # told to whoever waits
        answer.set_exception(error)


def _connect(addresses: list[str], port: int) -> socket.socket:
    error: OSError = OSError("no address")
    tried = addresses[:_TRIED_ADDRESSES]
    for address in tried:
        try:
            return socket.create_connection((address, port), CONNECT_LIMIT / len(tried))
        except OSError as failed:
            error = failed
    raise error


@contextmanager
def _cut_off(connection: socket.socket, *, at: float) -> Iterator[None]:
    """End a connection at a moment, also under somebody who answers byte by byte."""
    with connection.dup() as own:
        timer = threading.Timer(at - time.monotonic(), _shut_down, [own])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            # Waits for a cut that has begun, so that it hits no other connection.
            timer.join()


def _shut_down(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        # The other side was quicker.
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
    """Return a connection on which the receiver has shown a certificate for its name."""
    return _tls().wrap_socket(plain, server_hostname=host)


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()
