"""Listeners: the sockets on which this process accepts connections."""

from __future__ import annotations

import os
import socket
from pathlib import Path

_OPEN_FILES = Path("/proc/self/fd")
# Bytes of an answer that the kernel takes before the client reads them; it uses up to twice as
# many. Without a limit it takes megabytes for each client that reads nothing, all at once.
SEND_BUFFER = 128 * 1024


def limit_unread_answers(*, seconds: float) -> None:
    """Limit what the kernel holds of an answer, and how long it waits until the peer takes a byte.

    The server has no limit for either (RFC 5482 describes the second option). Connections inherit
    both from their listener, which the server opens itself, so it is found among the open files.
    Only Linux has all of this.
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
                milliseconds = int(seconds * 1000)
                opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
