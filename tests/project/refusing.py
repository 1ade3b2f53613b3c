"""A server that speaks PostgreSQL's protocol up to the session: `python -m tests.project.refusing`.

Its arguments are the answers to the requests for a session, in hexadecimal. It is a process of its
own because libpq's ping holds Python's lock while it waits.
"""

from __future__ import annotations

import socket
import sys
from contextlib import suppress

# Requests for TLS and GSSAPI, which come before that for a session.
ENCRYPTION = {code.to_bytes(4, "big") for code in (80877103, 80877104)}


def main() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sys.stdout.write(f"{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        for answer in map(bytes.fromhex, sys.argv[1:]):
            client, _ = listener.accept()
            with client, suppress(OSError):
                while client.recv(8)[4:] in ENCRYPTION:
                    client.sendall(b"N")
                client.recv(1000)
                client.sendall(answer)


if __name__ == "__main__":
    main()
