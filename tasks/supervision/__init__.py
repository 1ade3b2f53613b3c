"""Keeping processes alive: the supervisor, the watchdog and the fork server; none knows a task."""
