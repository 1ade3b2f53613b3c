"""Callbacks: signed requests that notify a task's `callback_url` of its end."""
