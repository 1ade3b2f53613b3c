"""Settings of a worker that learns of tasks, and of cancels, only by notifications."""

from taskproject.settings import *  # noqa: F403

POLL_SECONDS = 3_600.0
# A renewal of the lease shows cancels too.
HEARTBEAT_SECONDS = 3_600.0
LEASE_SECONDS = 10_800.0
