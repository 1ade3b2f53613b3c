"""API keys: `Authorization: Bearer <key>`."""

from __future__ import annotations

import re

from django.contrib.auth.models import User
from django.utils import timezone
from knox.crypto import hash_token
from knox.models import AuthToken
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

_BEARER = re.compile(rb"bearer +([!-~]+) *", re.IGNORECASE)
_REFUSAL = 'The Authorization header must be "Bearer", a space and a valid API key.'


class ApiKeyAuthentication(BaseAuthentication):
    """Look up the user of a key by its digest: one query, and the same 401 for every reason."""

    def authenticate(self, request: Request) -> tuple[User, AuthToken] | None:
        """Return user and key, or None without the header; raise AuthenticationFailed.

        A header that cannot be read was meant as a key: the caller is not served as anonymous.
        """
        header = get_authorization_header(request)
        if not header:
            return None
        bearer = _BEARER.fullmatch(header)
        if bearer is None:
            raise AuthenticationFailed(_REFUSAL)
        digest = hash_token(bearer[1].decode("ascii"))
        key = AuthToken.objects.select_related("user").filter(digest=digest).first()
        if key is None or not key.user.is_active or (key.expiry and key.expiry <= timezone.now()):
            raise AuthenticationFailed(_REFUSAL)
        return key.user, key

    def authenticate_header(self, request: Request) -> str:
        """Return the `WWW-Authenticate` challenge of a 401."""
        return 'Bearer realm="api"'
