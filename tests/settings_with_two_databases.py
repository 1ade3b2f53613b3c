"""Settings of a worker whose handlers use a second database, the same under another name."""

from taskproject.settings import *  # noqa: F403
from taskproject.settings import DATABASES

DATABASES["other"] = dict(DATABASES["default"])
