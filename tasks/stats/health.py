"""Health: the findings of all checks, each within a limit of time, also without a database."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db import DatabaseError, InterfaceError
from django.db.models import TextChoices
from psycopg import errors

from tasks.postgres.failures import is_outage, may_pass, sqlstate
from tasks.postgres.time_limit import STATEMENT_SECONDS, limited
from tasks.stats.findings import Finding, Level, failed, unknown
from tasks.stats.health_checks import CHECKS, Check, Reading

_AWAY = "The database cannot be reached."


class DatabaseState(TextChoices):
    """What the database does, in one word."""

    OK = "ok"
    READ_ONLY = "read-only"
    UNREACHABLE = "unreachable"
    # It answers and refuses a query, as before `manage.py migrate`.
    UNUSABLE = "unusable"


@dataclass(kw_only=True)
class Health:
    """The findings by check, in order, and what was read for them."""

    findings: dict[str, Finding] = field(default_factory=dict)
    database: DatabaseState = DatabaseState.OK
    reading: Reading = field(default_factory=Reading)

    @property
    def status(self) -> str:
        """Return healthy, degraded or unhealthy."""
        levels = {finding.level for finding in self.findings.values()}
        if Level.FAILED in levels:
            return "unhealthy"
        return "healthy" if levels == {Level.OK} else "degraded"

    @property
    def is_ready(self) -> bool:
        """Return whether nothing fails that each request needs."""
        needed = (self.findings[check.name] for check in CHECKS if check.needed_by_requests)
        return all(finding.level in (Level.OK, Level.WARNING) for finding in needed)

    @property
    def waiting(self) -> int | None:
        """Return the number of due tasks, as far as they are counted; None if it was not read."""
        return vars(self.reading).get("waiting")

    @property
    def workers(self) -> dict[str, int] | None:
        """Return the number of workers by liveness; None if it was not read."""
        return vars(self.reading).get("workers")


def check_health() -> Health:
    """Run all checks."""
    return _run(CHECKS)


def check_readiness() -> Health:
    """Run only the checks of what each request needs."""
    return _run(check for check in CHECKS if check.needed_by_requests)


def _run(checks: Iterable[Check]) -> Health:
    health = Health()
    for check in checks:
        if health.database == DatabaseState.UNREACHABLE:
            health.findings[check.name] = unknown(_AWAY)
            continue
        try:
            # An error ends only this check.
            with limited():
                health.findings[check.name] = check.find(health.reading)
        except (DatabaseError, InterfaceError) as error:
            _note_error(health, check, error)
    writes = health.findings["writes"]
    if writes.level == Level.FAILED and health.database == DatabaseState.OK:
        health.database = DatabaseState.READ_ONLY
    return health


def _note_error(health: Health, check: Check, error: Exception) -> None:
    """Turn an error of the database into the finding of a check, and the state of the database."""
    if is_outage(error) or (check.name == "database" and may_pass(error)):
        health.database = DatabaseState.UNREACHABLE
        health.findings[check.name] = unknown(_AWAY)
        health.findings["database"] = failed(_AWAY)
    elif sqlstate(error) == errors.DiskFull.sqlstate:
        health.findings[check.name] = failed("The disk of the database is full: writes fail.")
    elif may_pass(error):
        health.findings[check.name] = unknown(
            f"The database did not answer this check within {STATEMENT_SECONDS} s, or postponed it."
        )
    else:
        health.database = DatabaseState.UNUSABLE
        health.findings[check.name] = failed("The database refuses the query of this check.")
