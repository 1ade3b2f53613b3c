"""An app for workers under test: names below `names.example` lead where an attacker wants them to.

Added by EXTRA_APPS. No name server is asked for them: the first label says what it would answer.
"""

from __future__ import annotations

import itertools
import socket
from typing import Any

ZONE = ".names.example"
# Public by its number, and given to nobody since 6to4 relays are gone (RFC 7526).
PUBLIC = "192.88.99.1"
ANSWERS = {
    "loopback": [["127.0.0.1"]],
    "loopback6": [["::1"]],
    "mapped": [["::ffff:127.0.0.1"]],
    "metadata": [["169.254.169.254"]],
    "mixed": [[PUBLIC, "127.0.0.1"]],
    # Public for whoever checks, private for whoever connects after that.
    "rebinding": [[PUBLIC], ["127.0.0.1"]],
}

_look_up = socket.getaddrinfo
_turns = {name: itertools.cycle(answers) for name, answers in ANSWERS.items()}


def _answer(host: Any, port: Any, *args: Any, **options: Any) -> Any:
    name = str(host).removesuffix(ZONE)
    if name not in _turns or options.get("flags", 0) & socket.AI_NUMERICHOST:
        return _look_up(host, port, *args, **options)
    return [
        found
        for address in next(_turns[name])
        for found in _look_up(address, port, type=socket.SOCK_STREAM)
    ]


socket.getaddrinfo = _answer
