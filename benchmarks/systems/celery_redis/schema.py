from __future__ import annotations

import os

import psycopg

TABLE = """
CREATE TABLE task (
    id uuid PRIMARY KEY,
    status text NOT NULL DEFAULT 'PENDING',
    attempt int NOT NULL DEFAULT 0,
    input jsonb NOT NULL,
    result jsonb,
    created_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    finished_at timestamptz
)
"""


def main() -> None:
    """Make the peer's table: a key, no other index to keep up."""
    with psycopg.connect(os.environ["DATABASE_URL"]) as connection:
        connection.execute(TABLE)


if __name__ == "__main__":
    main()
