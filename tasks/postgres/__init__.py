"""PostgreSQL backend of Django, with fewer round trips to the server."""
