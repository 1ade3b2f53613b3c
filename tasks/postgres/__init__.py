"""Django's backend for PostgreSQL, asking less of the server."""
