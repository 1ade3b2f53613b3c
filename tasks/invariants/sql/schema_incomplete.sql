-- verify schema_incomplete: constraints, indexes and triggers that are missing, invalid or disabled
-- They keep every row right that no other statement of this folder reads. An index that is being
-- built is not valid yet, and no fault.
WITH relation AS (
    SELECT to_regclass(name)::oid AS oid, name FROM unnest(%(tables)s::text[]) AS name
), stored_constraint AS (
    SELECT
        relation.name AS of_table, conname AS name, contype, convalidated,
        (
            SELECT attname FROM pg_attribute
            WHERE attrelid = conrelid AND attnum = conkey[1] AND array_length(conkey, 1) = 1
        ) AS of_column
    FROM pg_constraint
    JOIN relation ON relation.oid = conrelid
), stored_index AS (
    SELECT relname AS name, indexrelid, indisvalid
    FROM pg_index
    JOIN relation ON relation.oid = indrelid
    JOIN pg_class ON pg_class.oid = indexrelid
), wrong AS (
    SELECT 'missing: ' || name AS fault
    FROM unnest(%(names)s::text[]) AS name
    WHERE name NOT IN (SELECT name FROM stored_constraint UNION ALL SELECT name FROM stored_index)
    UNION ALL
    SELECT 'missing: foreign key of ' || name
    FROM unnest(%(references)s::text[]) AS name
    WHERE name NOT IN (
        SELECT of_table || '.' || of_column FROM stored_constraint
        WHERE contype = 'f' AND of_column IS NOT NULL
    )
    UNION ALL
    SELECT 'not validated: ' || name FROM stored_constraint WHERE NOT convalidated
    UNION ALL
    SELECT 'not valid: ' || name
    FROM stored_index
    WHERE NOT indisvalid
        AND indexrelid NOT IN (
            SELECT index_relid FROM pg_stat_progress_create_index WHERE index_relid IS NOT NULL
        )
    UNION ALL
    SELECT 'disabled: trigger ' || tgname
    FROM pg_trigger
    JOIN relation ON relation.oid = tgrelid
    WHERE tgenabled = 'D'
)
SELECT fault FROM wrong ORDER BY fault LIMIT %(most)s
