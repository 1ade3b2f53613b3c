-- separate_roles: the superuser, who was the application's role, becomes `postgres`; a role `tasks`
-- without its rights owns the database and everything in it. Run once, in one transaction, as the
-- superuser in single-user mode (`taskproject/cluster.py`).
DO $$
DECLARE
    change text;
BEGIN
    IF EXISTS (SELECT FROM pg_authid WHERE oid = 10 AND rolname = 'postgres') THEN
        RETURN;
    END IF;
    -- ALTER ROLE does not rename the session's own user.
    UPDATE pg_authid SET rolname = 'postgres' WHERE oid = 10;
    CREATE ROLE tasks LOGIN;
    UPDATE pg_db_role_setting SET setrole = 'tasks'::regrole WHERE setrole = 10;
    -- The owner of a database owns its schema public, through the role pg_database_owner.
    ALTER DATABASE tasks OWNER TO tasks;
    FOR change IN
        WITH member AS (
            SELECT classid, objid FROM pg_depend WHERE deptype = 'e'
        ), schema AS (
            SELECT oid, nspname, nspowner FROM pg_namespace
            WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
        )
        SELECT format('ALTER SCHEMA %I OWNER TO tasks', nspname) FROM schema
        WHERE nspowner = 10 AND ('pg_namespace'::regclass, oid) NOT IN (TABLE member)
        UNION ALL
        -- Indexes and the sequences of columns follow their table.
        SELECT format('ALTER TABLE %s OWNER TO tasks', relation.oid::regclass)
        FROM pg_class relation JOIN schema ON schema.oid = relnamespace
        WHERE relowner = 10 AND relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
            AND ('pg_class'::regclass, relation.oid) NOT IN (TABLE member)
            AND NOT EXISTS (
                SELECT FROM pg_depend
                WHERE classid = 'pg_class'::regclass AND objid = relation.oid
                    AND relkind = 'S' AND deptype IN ('a', 'i')
            )
        UNION ALL
        SELECT format('ALTER ROUTINE %s OWNER TO tasks', routine.oid::regprocedure)
        FROM pg_proc routine JOIN schema ON schema.oid = pronamespace
        WHERE proowner = 10 AND ('pg_proc'::regclass, routine.oid) NOT IN (TABLE member)
        UNION ALL
        -- The types of rows follow their table, those of arrays their element.
        SELECT format('ALTER TYPE %s OWNER TO tasks', type.oid::regtype)
        FROM pg_type type JOIN schema ON schema.oid = typnamespace
        LEFT JOIN pg_class relation ON relation.oid = typrelid
        WHERE typowner = 10 AND ('pg_type'::regclass, type.oid) NOT IN (TABLE member)
            AND (typtype IN ('e', 'd', 'r') OR relation.relkind = 'c')
        UNION ALL
        SELECT format('ALTER STATISTICS %I.%I OWNER TO tasks', nspname, stxname)
        FROM pg_statistic_ext JOIN schema ON schema.oid = stxnamespace
        WHERE stxowner = 10
    LOOP
        EXECUTE change;
    END LOOP;
END
$$
