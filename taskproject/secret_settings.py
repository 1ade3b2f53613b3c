"""Secrets among the settings; an invalid one is refused with a sentence that does not repeat it."""

from __future__ import annotations

import base64
import re
import secrets
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from taskproject.environment import Environment, words

# Standard Webhooks requires 24 to 64 bytes.
_SHORTEST_WEBHOOK_SECRET = 24
_SHORTEST = 32
_FEWEST_CHARACTERS = 8
# Of three characters each: random texts hardly repeat one. A longer text need not have more.
_MOST_PIECES = 60
_WELL_KNOWN = re.compile(
    r"^django-insecure-|(change|replace)[-_ ]?(me|this)|placeholder|secret[-_ ]?key"
    r"|(your|my|super|some|the|top)[-_ ]?secret",
    re.IGNORECASE,
)


def api_key(env: Environment, name: str, *, type: str = "api_key") -> str:
    """Read the key of a service, empty for none."""
    key = env.given(name, type)[0].strip()
    if not re.fullmatch(r"[!-~]*", key):
        raise ImproperlyConfigured(
            f"{name} must contain only printable ASCII characters, without spaces."
        )
    return key


def webhook_secret(env: Environment, name: str) -> str:
    """Read a secret of Standard Webhooks, empty for none."""
    secret = api_key(env, name, type="webhook_secret")
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        key = b""
    if secret and len(key) < _SHORTEST_WEBHOOK_SECRET:
        raise ImproperlyConfigured(
            f"{name} is not a valid secret: it must be whsec_ followed by at least "
            f"{_SHORTEST_WEBHOOK_SECRET} bytes encoded in base64."
        )
    return secret


def signing_secrets(env: Environment, name: str) -> list[str]:
    """Read secrets that things are signed with, separated by commas; empty for none."""
    entries = words(env, name, "", type="signing_secrets")
    for secret in entries:
        _require_strong(secret, name)
    return entries


def secret_key(env: Environment, data_dir: Path) -> str:
    """Return SECRET_KEY, or one generated once and kept under the data directory."""
    secret, name = env.given("SECRET_KEY", "secret_key")
    if secret:
        # As given, with the spaces around it: others may be signed with the same.
        return _require_strong(secret, name)
    return _kept_key(data_dir)


def _require_strong(secret: str, name: str) -> str:
    if (
        len(secret.strip()) < _SHORTEST
        or len(set(secret)) < _FEWEST_CHARACTERS
        or _WELL_KNOWN.search(secret)
        or _repeats_itself(secret.strip())
    ):
        raise ImproperlyConfigured(
            f"{name} can be guessed: it must be at least {_SHORTEST} random characters, such as "
            "those printed by python3 -c 'import secrets; print(secrets.token_urlsafe(48))'."
        )
    return secret


def _repeats_itself(text: str) -> bool:
    """Return whether more than a third of a text's pieces occurred before in it."""
    pieces = [text[start : start + 3] for start in range(len(text) - 2)]
    return len(set(pieces)) < min(len(pieces), _MOST_PIECES) * 2 / 3


def _kept_key(data_dir: Path) -> str:
    file = data_dir / "secret_key"
    try:
        if not file.exists():
            _generate(file)
        secret = file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "its secret_key is not a text"
        raise ImproperlyConfigured(
            f"DATA_DIR={str(data_dir)!r} cannot be used ({reason}): "
            "set DATA_DIR to a directory that this user may write to, "
            "or set SECRET_KEY and DATABASE_URL."
        ) from error
    return _require_strong(secret, f"The SECRET_KEY in {file}")


def _generate(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.parent / f".secret_key.{secrets.token_hex(8)}"
    new.touch(mode=0o600)
    try:
        new.write_text(secrets.token_urlsafe(64))
        # Two processes that start at once agree: the first link wins.
        file.hardlink_to(new)
    except FileExistsError:
        pass
    finally:
        new.unlink()
