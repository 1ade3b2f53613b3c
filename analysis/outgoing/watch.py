"""Watch over an HTTP call: it ends at its deadline, or when its task should stop.

The time-out of a socket starts again with every byte that arrives. So a thread watches each call
and shuts its socket down.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from tasks.kinds import Context

_CHECK_SECONDS = 0.2
# One for each slot that a worker process may have.
_KEPT_CONNECTIONS = 1000

_of_thread = threading.local()


class Watch:
    """The watch over one call."""

    def __init__(self, context: Context, seconds: float) -> None:
        self._context = context
        self._deadline = time.monotonic() + seconds
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self.was_cut = False

    def attach(self, sock: socket.socket | None) -> None:
        """Set the socket that the call uses."""
        with self._lock:
            self._socket = sock
            if self.was_cut:
                self._cut()

    def run(self) -> None:
        """Check until the call is over; the body of the thread."""
        while not self._over.wait(_CHECK_SECONDS):
            if self._must_end():
                with self._lock:
                    if not self._over.is_set():
                        self._cut()

    def end(self) -> None:
        """Stop watching: from now on another call may use the socket."""
        with self._lock:
            self._over.set()

    def _must_end(self) -> bool:
        if time.monotonic() > self._deadline:
            return True
        try:
            self._context.check()
        except BaseException:  # the call's own thread checks again, and raises it
            return True
        return False

    def _cut(self) -> None:
        self.was_cut = True
        if self._socket is not None:
            with suppress(OSError):
                # Not the method of a TLS socket: another thread must not call that.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


@contextmanager
def watched(context: Context, *, seconds: float) -> Iterator[Watch]:
    """Watch the calls that this thread makes through a WatchedAdapter."""
    watch = Watch(context, seconds)
    thread = threading.Thread(target=watch.run, name="watch", daemon=True)
    _of_thread.watch = watch
    thread.start()
    try:
        yield watch
    finally:
        _of_thread.watch = None
        watch.end()


class _Watched:
    sock: socket.socket | None

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        self._attach()

    def request(self, *args: Any, **kwargs: Any) -> None:
        self._attach()
        super().request(*args, **kwargs)  # type: ignore[misc]

    def _attach(self) -> None:
        watch: Watch | None = getattr(_of_thread, "watch", None)
        if watch:
            watch.attach(self.sock)


class _WatchedHTTP(_Watched, HTTPConnection):
    pass


class _WatchedHTTPS(_Watched, HTTPSConnection):
    pass


class _HTTPPool(HTTPConnectionPool):
    ConnectionCls = _WatchedHTTP


class _HTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedHTTPS


class WatchedAdapter(HTTPAdapter):
    """Attaches the connections of a `requests` session to the watch of the calling thread."""

    def __init__(self) -> None:
        super().__init__(pool_maxsize=_KEPT_CONNECTIONS)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Use pools of watched connections."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        """Use pools of watched connections through a proxy as well."""
        manager: Any = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}
        return manager
