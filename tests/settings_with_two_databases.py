"""Settings with a second database for handlers: the first one under another name."""

from taskproject.settings import *  # noqa: F403
from taskproject.settings import DATABASES

DATABASES["other"] = dict(DATABASES["default"])
