"""The token with which Google lets us send: a service account's, fetched anew when it ends."""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import Any

from django.conf import settings

from analysis.outgoing.session import session
from analysis.webhooks.delivery import TOTAL_SECONDS, Unanswered
from tasks.kinds import FatalError

SCOPE = "https://www.googleapis.com/auth/rcsbusinessmessaging"

_lock = threading.Lock()


def current() -> str:
    """Return a token that is valid; raise Unanswered, or FatalError for an account that is not."""
    # Imported late: who has no such account need not load it.
    from google.auth.exceptions import GoogleAuthError, TransportError
    from google.auth.transport.requests import Request

    # One fetches, the others wait for it: not for long, as its call is bounded.
    with _lock:
        account = _account(settings.GOOGLE_SERVICE_ACCOUNT_FILE)
        try:
            if not account.valid:
                account.refresh(_Bounded(Request(session=session())))
        except TransportError:
            raise Unanswered("Google's tokens cannot be had.") from None
        except GoogleAuthError as error:
            if getattr(error, "retryable", False):
                raise Unanswered("Google's tokens cannot be had.") from None
            raise FatalError("Google does not accept the service account.") from None
        return str(account.token)


class _Bounded:
    """Calls that end: google-auth would wait two minutes for each."""

    def __init__(self, request: Any) -> None:
        self._request = request

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._request(*args, **{**kwargs, "timeout": TOTAL_SECONDS})


@lru_cache(maxsize=4)
def _account(file: str) -> Any:
    from google.oauth2.service_account import Credentials

    try:
        return Credentials.from_service_account_file(file, scopes=[SCOPE])  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        # Not its text, which may quote the key.
        name = type(error).__name__
        raise FatalError(f"GOOGLE_SERVICE_ACCOUNT_FILE cannot be read ({name}).") from None
