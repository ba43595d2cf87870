-- drop_empty_partition drops a partition that has no rows. It returns 'dropped', 'has rows', 'gone' where there is no
-- such partition, or why an empty one stays. It runs with the rights of its owner, so that a role that deletes rows need
-- not own the tables. It can drop nothing but empty partitions that ensure_partitions creates again.
--
--     no rows?     without a lock, because most partitions have rows
--     SHARE lock   of the partition: no writer changes it any more, readers go on
--     no rows?     still
--     wait         for the transactions that are open, because one of them may have read from its snapshot that there are
--                  rows, and would then find none: a dropped table is missing in every snapshot
--     DROP         waits for readers and writers of the whole table, and those that come later wait for it
--
-- No wait is long: a busy partition stays for the next time. Vacuum and other background processes read no rows.
CREATE FUNCTION marketdata.drop_empty_partition(child text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' AS $$
DECLARE
    has_rows boolean;
    older    text[];
BEGIN
    IF child !~ '^(bars|trades|quotes)_[0-9_]+$' OR NOT marketdata.is_partition(split_part(child, '_', 1), child) THEN
        RETURN 'gone';
    END IF;

    EXECUTE format('SELECT EXISTS (SELECT FROM marketdata.%I)', child) INTO has_rows;
    IF has_rows THEN
        RETURN 'has rows';
    END IF;
    EXECUTE format('LOCK TABLE marketdata.%I IN SHARE MODE', child);
    EXECUTE format('SELECT EXISTS (SELECT FROM marketdata.%I)', child) INTO has_rows;
    IF has_rows THEN
        RETURN 'has rows';
    END IF;

    SELECT array_agg(virtualtransaction) INTO older FROM pg_locks
    WHERE locktype = 'virtualxid' AND granted AND pid <> pg_backend_pid() AND pid IN (
        SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND usesysid IS NOT NULL
    );
    FOR attempt IN 1..50 LOOP
        EXIT WHEN NOT EXISTS (
            SELECT FROM pg_locks WHERE locktype = 'virtualxid' AND granted AND virtualtransaction = ANY (older)
        );
        IF attempt = 50 THEN
            RETURN 'an older transaction is open';
        END IF;
        PERFORM pg_sleep(0.01);
    END LOOP;

    EXECUTE format('DROP TABLE marketdata.%I', child);
    RETURN 'dropped';
EXCEPTION
    WHEN lock_not_available THEN RETURN 'a transaction uses it';
    WHEN dependent_objects_still_exist THEN RETURN 'another object depends on it';
    WHEN undefined_table THEN RETURN 'gone';
END
$$;

REVOKE ALL ON FUNCTION marketdata.drop_empty_partition(text) FROM PUBLIC;
