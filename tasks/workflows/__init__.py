"""Workflows: the engine's own kind, and how Python code describes tasks in an order."""
