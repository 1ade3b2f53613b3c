"""Access token for Google's API: a service account's, fetched again when it expires."""

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
    """Return a valid token; raise Unanswered, or FatalError if the account is not accepted."""
    # Imported late: installations without such an account need not load it.
    from google.auth.exceptions import GoogleAuthError, TransportError
    from google.auth.transport.requests import Request

    # One thread fetches while the others wait, for no longer than a request may take.
    with _lock:
        account = _account(settings.GOOGLE_SERVICE_ACCOUNT_FILE)
        try:
            if not account.valid:
                account.refresh(_Bounded(Request(session=session())))
        except TransportError:
            raise Unanswered("Google did not answer the request for a token.") from None
        except GoogleAuthError as error:
            if getattr(error, "retryable", False):
                raise Unanswered("Google could not issue a token.") from None
            raise FatalError("Google does not accept the service account.") from None
        return str(account.token)


class _Bounded:
    """Requests with our time-out: google-auth's own is two minutes."""

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
        # Without the error's text, which may quote the key.
        name = type(error).__name__
        raise FatalError(f"GOOGLE_SERVICE_ACCOUNT_FILE cannot be read ({name}).") from None
