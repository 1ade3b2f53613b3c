"""Callbacks: telling a task's owner that it has ended, by a signed request to their address."""
