-- remove_symbol removes a symbol that has no data, with its series. If it has data, or writes under way, nothing is
-- removed, and the kinds and grids of the series are returned. It runs with the rights of its owner, so that a role that
-- writes rows needs no right to delete symbols and series.
--
-- Nobody adds a series meanwhile, because that takes the advisory lock, too. A writer of a series that it removed finds
-- that the row is gone, and adds symbol and series again. Rows without coverage are deleted, because nobody could.
CREATE FUNCTION marketdata.remove_symbol(name text) RETURNS SETOF text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    number integer;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('marketdata new series', 0));
    SELECT s.id INTO number FROM marketdata.symbols s WHERE s.symbol = name;
    IF NOT FOUND THEN
        RETURN;
    END IF;

    PERFORM FROM marketdata.series s WHERE s.symbol_id = number ORDER BY s.id FOR UPDATE;
    RETURN QUERY
        SELECT DISTINCT rtrim(regexp_replace(s.kind, '^ledger ', '') || ' ' || s.grid) AS left_over
        FROM marketdata.series s WHERE s.symbol_id = number AND (
            EXISTS (SELECT FROM marketdata.coverage c WHERE c.symbol_id = number AND c.series_id = s.id)
            OR EXISTS (SELECT FROM marketdata.intents i WHERE i.symbol_id = number AND i.series_id = s.id)
        )
        ORDER BY left_over;
    IF FOUND THEN
        RETURN;
    END IF;

    DELETE FROM marketdata.bars b WHERE b.symbol_id = number;
    DELETE FROM marketdata.trades t WHERE t.symbol_id = number;
    DELETE FROM marketdata.quotes q WHERE q.symbol_id = number;
    DELETE FROM marketdata.blocks b WHERE b.symbol_id = number;
    DELETE FROM marketdata.series s WHERE s.symbol_id = number;
    DELETE FROM marketdata.symbols s WHERE s.id = number;
END
$$;

REVOKE ALL ON FUNCTION marketdata.remove_symbol(text) FROM PUBLIC;
