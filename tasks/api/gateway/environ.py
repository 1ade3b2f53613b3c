"""Environ: the headers of an ASGI request as WSGI has them (PEP 3333)."""

from __future__ import annotations

import io
import sys
from typing import Any
from urllib.parse import unquote_to_bytes

from tasks.api.gateway.refusal import Refused
from tasks.api.problems import BAD_REQUEST

# Characters of a Content-Type with its parameters; a multipart boundary has at most 70.
_LONGEST_CONTENT_TYPE = 256
# Set from the body itself.
_OF_THE_BODY = {b"content-length", b"transfer-encoding"}
# Of two different values a proxy may have checked the other one.
_SINGLE = {b"host", b"authorization", b"content-type", b"x-forwarded-proto", b"idempotency-key"}


def wsgi_environ(scope: dict[str, Any], body: bytes) -> dict[str, Any]:
    """Return the environ of a request; raise Refused for a header that may occur only once.

    Bytes beyond ASCII stay, as latin-1. A name with an underscore is left out: it would pass for
    the name with a hyphen, which a proxy may have set.
    """
    target: bytes = scope["raw_path"]
    server, client = scope["server"], scope["client"]
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": (unquote_to_bytes(target) if b"%" in target else target).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": client[0] if client else "",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        if b"_" not in name and name not in _OF_THE_BODY:
            _add(environ, name, value.decode("latin-1"))
    return environ


def _add(environ: dict[str, Any], name: bytes, value: str) -> None:
    if name == b"content-type":
        key, value = "CONTENT_TYPE", _content_type(value)
    else:
        key = "HTTP_" + name.decode("latin-1").upper().replace("-", "_")
    if key not in environ:
        environ[key] = value
    elif name in _SINGLE:
        raise Refused(BAD_REQUEST, f"The header {name.decode('latin-1')} occurs more than once.")
    else:
        environ[key] += ("; " if name == b"cookie" else ",") + value


def _content_type(value: str) -> str:
    """Return a Content-Type in a form that Django understands.

    An RFC 2231 parameter in an unknown encoding raises before any handler can catch it, and
    parameters are parsed in quadratic time: 64 KB of them would take seconds.
    """
    if "*" in value or len(value) > _LONGEST_CONTENT_TYPE:
        return value.partition(";")[0]
    return value
