"""Supervision of processes: supervisor, watchdog and fork server; none of them depends on tasks."""
