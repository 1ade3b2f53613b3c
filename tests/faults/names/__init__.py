"""Fake name resolution for workers: names below `names.example` lead to forbidden addresses.

Added by EXTRA_APPS. No name server is queried: the first label selects the answer.
"""

from __future__ import annotations

import itertools
import socket
from typing import Any

ZONE = ".names.example"
# In a public range, but unassigned since 6to4 relays were withdrawn (RFC 7526).
PUBLIC = "192.88.99.1"
ANSWERS = {
    "loopback": [["127.0.0.1"]],
    "loopback6": [["::1"]],
    "mapped": [["::ffff:127.0.0.1"]],
    "metadata": [["169.254.169.254"]],
    "mixed": [[PUBLIC, "127.0.0.1"]],
    # Public when it is checked, private when it is looked up again to connect.
    "rebinding": [[PUBLIC], ["127.0.0.1"]],
}

_look_up = socket.getaddrinfo
_turns = {name: itertools.cycle(answers) for name, answers in ANSWERS.items()}


def _answer(host: Any, port: Any, *args: Any, **options: Any) -> Any:
    name = str(host).removesuffix(ZONE)
    if name not in _turns or options.get("flags", 0) & socket.AI_NUMERICHOST:
        return _look_up(host, port, *args, **options)
    return [
        entry
        for address in next(_turns[name])
        for entry in _look_up(address, port, type=socket.SOCK_STREAM)
    ]


socket.getaddrinfo = _answer
