"""Schema of oban-py, and its jobs as the other systems' table of tasks."""

from __future__ import annotations

import asyncio
import os

import psycopg
from oban.schema import install
from psycopg_pool import AsyncConnectionPool

# A recorded result is a base64 text without padding. In it are six bytes of Erlang's external term
# format (version, type and length of a binary), then our JSON.
VIEW = """
CREATE VIEW task AS
SELECT
    lpad(to_hex(id), 32, '0')::uuid AS id,
    CASE state WHEN 'completed' THEN 'COMPLETED' ELSE upper(state::text) END AS status,
    attempt,
    args AS input,
    convert_from(
        substring(
            decode(rpad(meta ->> 'return', (length(meta ->> 'return') + 3) / 4 * 4, '='), 'base64')
            FROM 7
        ),
        'UTF8'
    )::jsonb AS result,
    inserted_at AS created_at,
    attempted_at AS started_at,
    completed_at AS finished_at
FROM oban_jobs
"""


async def main() -> None:
    """Do what `oban install` does, then create the view."""
    url = os.environ["DATABASE_URL"]
    async with AsyncConnectionPool(url, min_size=1, max_size=1) as pool:
        await install(pool)
    with psycopg.connect(url) as connection:
        connection.execute(VIEW)


if __name__ == "__main__":
    asyncio.run(main())
