"""The views, by resource: each parses, calls a verb and renders."""
