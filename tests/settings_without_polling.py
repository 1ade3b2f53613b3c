"""Settings of a worker that finds tasks only by notifications."""

from taskproject.settings import *  # noqa: F403

POLL_SECONDS = 3_600.0
