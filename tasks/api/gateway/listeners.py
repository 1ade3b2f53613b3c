"""Listeners: the sockets on which this process accepts connections."""

from __future__ import annotations

import os
import socket
from pathlib import Path

_OPEN_FILES = Path("/proc/self/fd")


def end_unread_connections(*, after: float) -> None:
    """Make the kernel end a connection whose peer takes no bytes of an answer for so many seconds.

    The server has no limit for this (RFC 5482 describes the option). Connections inherit it from
    their listener, which the server opens itself, so it is found among the open files. Only Linux
    has both.
    """
    if not hasattr(socket, "TCP_USER_TIMEOUT") or not _OPEN_FILES.is_dir():
        return
    for file in list(_OPEN_FILES.iterdir()):
        try:
            opened = socket.socket(fileno=os.dup(int(file.name)))
        except OSError:
            continue  # not a socket, or the descriptor of this listing
        with opened:
            if opened.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                milliseconds = int(after * 1000)
                opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
