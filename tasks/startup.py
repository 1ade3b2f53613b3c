"""Startup: what must be right in the database before a web server or a worker starts.

A second machine without the first one's SECRET_KEY signs callbacks that every receiver refuses, so
the database keeps a fingerprint of the secrets, and a process with others does not start.
"""

from __future__ import annotations

import logging
import time
from typing import cast

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connections, transaction
from django.utils.crypto import pbkdf2

from tasks.error_text import detail_of
from tasks.models import SecretFingerprint
from tasks.postgres.base import DatabaseWrapper
from tasks.postgres.failures import is_outage
from tasks.postgres.migrations import MigrationsMissing, require_migrations
from tasks.postgres.ping import is_away
from tasks.postgres.requirements import unmet_requirements

log = logging.getLogger(__name__)

CALLBACKS = "callbacks"
SESSIONS = "sessions"
# Seconds between two tries while the database is away.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 5.0
# A weak secret must not be found by trying fingerprints; one costs about 50 ms.
_ITERATIONS = 100_000


class NotReady(Exception):
    """Something outside prevents a start; the message is a sentence with the remedy."""


def check_start(*, needs_migrations: bool = True) -> str | None:
    """Check database, migrations and secrets; return why the database is away, if it is.

    Raises NotReady. Closes its connection.
    """
    try:
        _check_requirements()
        require_migrations()
        check_secrets()
    except MigrationsMissing as missing:
        if needs_migrations:
            raise NotReady(str(missing)) from None
        log.warning("%s Until then this process is not ready.", missing)
    except (DatabaseError, InterfaceError) as error:
        if not is_outage(error):
            raise
        _check_refusal()
        return " ".join(detail_of(error).split())
    finally:
        connections.close_all()
    return None


def wait_to_start() -> None:
    """Check database, migrations and secrets as soon as the database answers. Raises NotReady.

    A worker with another secret would send callbacks that are refused, so it starts only then.
    """
    pause = _FIRST_PAUSE
    while reason := check_start():
        log.warning(
            "the database cannot be reached; the worker starts when it answers",
            extra={"error": reason},
        )
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)


def check_secrets() -> None:
    """Compare the secrets with those of the other processes, and record them. Raises NotReady.

    With the embedded database there is no other machine, and secrets may change as they like.
    """
    if settings.EMBEDDED is not None:
        return
    if not agrees(CALLBACKS, settings.CALLBACK_SECRETS):
        raise NotReady(
            "Callbacks are signed with another secret by the other processes on this database, so"
            " their receivers would refuse those of this one: set SECRET_KEY (and CALLBACK_SECRET,"
            " if set) to the same values on all machines; a generated SECRET_KEY is in"
            " DATA_DIR/secret_key of its machine. To change the secret, start them with"
            " CALLBACK_SECRET=new,old; if the old one is lost or no"
            " receiver has it, run manage.py replace_secret."
        )
    if not agrees(SESSIONS, [settings.SECRET_KEY]):
        record_secrets()
        log.warning(
            "SECRET_KEY is not that of the process that started before; until all web servers have"
            " the same, a login is valid on some of them only"
        )


def record_secrets() -> None:
    """Record this process's secrets as the right ones."""
    for name, secrets in (
        (CALLBACKS, settings.CALLBACK_SECRETS),
        (SESSIONS, [settings.SECRET_KEY]),
    ):
        SecretFingerprint.objects.update_or_create(
            name=name, defaults={"fingerprints": [_fingerprint(secret) for secret in secrets]}
        )


def agrees(name: str, secrets: list[str]) -> bool:
    """Return whether one of the secrets is in use, or none is yet; then record them.

    Of two processes that start at once the second finds the row of the first.
    """
    own = [_fingerprint(secret) for secret in secrets]
    with transaction.atomic():
        row, _ = SecretFingerprint.objects.select_for_update().get_or_create(
            name=name, defaults={"fingerprints": own}
        )
        if not set(own) & set(row.fingerprints):
            return False
        if row.fingerprints != own:
            row.fingerprints = own
            row.save()
    return True


def _fingerprint(secret: str) -> str:
    return pbkdf2(secret, "tasks.startup", _ITERATIONS).hex()


def _check_refusal() -> None:
    """Raise NotReady if the server is there and refuses the connection, as for a wrong password.

    A pooler answers although the server behind it may be away.
    """
    database = cast(DatabaseWrapper, connections["default"])
    if database.is_pooled or is_away(database.get_connection_params()):
        return
    try:
        # It may have come back meanwhile.
        database.ensure_connection()
    except (DatabaseError, InterfaceError) as error:
        reason = " ".join(detail_of(error).split())
        raise NotReady(f"The database refuses the connection: {reason}") from None


def _check_requirements() -> None:
    database = cast(DatabaseWrapper, connections["default"])
    with database.cursor() as cursor:
        for sentence in unmet_requirements(cursor, pooled=database.is_pooled):
            raise NotReady(sentence)
