"""API keys: `Authorization: Bearer <key>`."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.utils import timezone
from knox.crypto import hash_token
from knox.models import AuthToken
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request


class ApiKeyAuthentication(BaseAuthentication):
    """Look up the user of a key by its digest: one query, and the same 401 for every reason."""

    def authenticate(self, request: Request) -> tuple[User, AuthToken] | None:
        """Return user and key, or None without a bearer token; raise AuthenticationFailed."""
        scheme, _, secret = get_authorization_header(request).partition(b" ")
        if scheme.lower() != b"bearer":
            return None
        digest = hash_token(secret.strip().decode("latin-1"))
        key = AuthToken.objects.select_related("user").filter(digest=digest).first()
        if key is None or not key.user.is_active or (key.expiry and key.expiry <= timezone.now()):
            raise AuthenticationFailed("The API key is not valid.")
        return key.user, key

    def authenticate_header(self, request: Request) -> str:
        """Return the `WWW-Authenticate` challenge of a 401."""
        return 'Bearer realm="api"'
