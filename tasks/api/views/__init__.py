"""Views, one module per resource: each parses, calls a verb and renders."""
