-- selectSessionSettings
SELECT current_setting('standard_conforming_strings'), current_setting('client_encoding'),
	current_setting('TimeZone'), current_setting('row_security');

-- selectServer
SELECT current_user, current_database(), current_setting('server_version'), EXISTS (
	SELECT FROM pg_class WHERE relnamespace = to_regnamespace('marketdata') AND relname = 'migrations'
		AND has_schema_privilege(relnamespace, 'USAGE') AND has_table_privilege(oid, 'SELECT')
);

-- selectHidesRows
SELECT EXISTS (
	SELECT 1 FROM pg_class WHERE relnamespace = to_regnamespace('marketdata') AND relkind IN ('r', 'p')
		AND row_security_active(oid)
);

-- selectRole
SELECT current_user;

-- selectMissingPrivileges
SELECT 'schema', 'marketdata', 'USAGE' WHERE NOT has_schema_privilege(to_regnamespace('marketdata'), 'USAGE')
UNION ALL
SELECT 'table', name, privilege FROM unnest($1::text[], $2::text[]) AS u (name, privilege)
JOIN pg_class ON relnamespace = to_regnamespace('marketdata') AND relname = name
WHERE NOT has_table_privilege(oid, privilege)
UNION ALL
SELECT 'in database', format('"%s"', current_database()), 'TEMPORARY'
WHERE $3 AND NOT has_database_privilege(current_database(), 'TEMPORARY')
UNION ALL
SELECT 'function', proname, 'EXECUTE' FROM pg_proc
WHERE $3 AND pronamespace = to_regnamespace('marketdata')
	AND proname IN ('ensure_partitions', 'drop_empty_partition', 'remove_symbol')
	AND NOT has_function_privilege(oid, 'EXECUTE');

-- selectIdentity
SELECT system_identifier || '-' || timeline_id || '-' ||
	(SELECT oid FROM pg_database WHERE datname = current_database())
FROM pg_control_system(), pg_control_checkpoint();

-- selectCacheKey
SELECT secret FROM marketdata.identity;

-- selectInfluxIdentity
SELECT coalesce(identity, ''), is_bound FROM marketdata.influx_identity;

-- updateInfluxIdentity
UPDATE marketdata.influx_identity SET identity = $1, is_bound = $2
WHERE NOT is_bound AND ($2 OR identity IS NULL) RETURNING identity;

-- begin
BEGIN ISOLATION LEVEL READ COMMITTED;

-- commit
COMMIT;

-- rollback
ROLLBACK;

-- beginSnapshot
BEGIN READ ONLY, ISOLATION LEVEL REPEATABLE READ;

-- planByKeys
SELECT set_config('enable_seqscan', 'off', true);

-- setApplicationName
SELECT set_config('application_name', $1, true);

-- limitStatements
SELECT set_config('statement_timeout', $1, true);

-- unlimitStatements
SET LOCAL statement_timeout TO DEFAULT;

-- lockMigrations
SELECT pg_advisory_lock(hashtextextended('marketdata migrations', 0));

-- unlockMigrations
SELECT pg_advisory_unlock(hashtextextended('marketdata migrations', 0));

-- listenHints
SET idle_session_timeout = 0; LISTEN marketdata_hints;

-- notifyHints
SELECT count(pg_notify('marketdata_hints', payload)) FROM unnest($1::text[]) AS payload;
