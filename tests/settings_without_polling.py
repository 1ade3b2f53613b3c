"""Settings of a worker that finds tasks by being told of them, or not at all."""

from taskproject.settings import *  # noqa: F403

POLL_SECONDS = 3_600.0
