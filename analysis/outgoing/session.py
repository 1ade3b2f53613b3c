"""HTTP session of a process for calls to other services."""

from __future__ import annotations

from functools import cache
from http.cookiejar import DefaultCookiePolicy

import requests

from analysis.outgoing.watch import WatchedAdapter


@cache
def session() -> requests.Session:
    """Return the process's session: all its threads share the connections; cookies are ignored."""
    shared = requests.Session()
    shared.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    for scheme in ("https://", "http://"):
        shared.mount(scheme, WatchedAdapter())
    return shared
