-- Only grants restrict reads, because no row belongs to one tenant.
-- Every data table has the symbol in its key, so that it can be distributed by symbol.

CREATE TABLE marketdata.symbols (
    id     integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    symbol text COLLATE "C" NOT NULL UNIQUE,
    venue  text COLLATE "C" NOT NULL,
    base   text COLLATE "C" NOT NULL,
    quote  text COLLATE "C" NOT NULL,
    tick   numeric NOT NULL,
    lot    numeric NOT NULL,
    zone   text COLLATE "C" NOT NULL
);

-- There is no foreign key on symbols, because it would cost a lookup per bar. Writers insert the symbol first, and
-- symbols are never deleted. Columns of fixed width come first, because they then need no padding.
CREATE TABLE marketdata.bars (
    open_time timestamptz NOT NULL,
    trades    bigint NOT NULL,
    symbol_id integer NOT NULL,
    kind      text COLLATE "C" NOT NULL,
    grid      text COLLATE "C" NOT NULL,
    open      numeric NOT NULL,
    high      numeric NOT NULL,
    low       numeric NOT NULL,
    close     numeric NOT NULL,
    volume    numeric NOT NULL,
    PRIMARY KEY (symbol_id, kind, grid, open_time)
) PARTITION BY RANGE (open_time);

CREATE TABLE marketdata.trades (
    time      timestamptz NOT NULL,
    seq       bigint NOT NULL,
    symbol_id integer NOT NULL,
    side      smallint NOT NULL, -- 0 unknown, 1 buy, 2 sell
    price     numeric NOT NULL,
    size      numeric NOT NULL,
    PRIMARY KEY (symbol_id, time, seq)
) PARTITION BY RANGE (time);

CREATE TABLE marketdata.quotes (
    time      timestamptz NOT NULL,
    seq       bigint NOT NULL,
    symbol_id integer NOT NULL,
    bid       numeric NOT NULL,
    ask       numeric NOT NULL,
    bid_size  numeric NOT NULL,
    ask_size  numeric NOT NULL,
    PRIMARY KEY (symbol_id, time, seq)
) PARTITION BY RANGE (time);

-- assumed is for a view in place of this table. It marks inferred coverage: no writer declared the range as complete.
CREATE TABLE marketdata.extents (
    symbol_id  integer NOT NULL,
    kind       text COLLATE "C" NOT NULL,
    grid       text COLLATE "C" NOT NULL,
    start_time timestamptz NOT NULL,
    end_time   timestamptz NOT NULL,
    assumed    boolean NOT NULL DEFAULT false,
    PRIMARY KEY (symbol_id, kind, grid, start_time)
);

CREATE TABLE marketdata.tick_extents (
    symbol_id  integer NOT NULL,
    ticks      text COLLATE "C" NOT NULL, -- trades or quotes
    start_time timestamptz NOT NULL,
    end_time   timestamptz NOT NULL,
    PRIMARY KEY (symbol_id, ticks, start_time)
);

--bun:split

-- ensure_partitions creates the missing partitions of a table for the given times. It runs with the rights of its
-- owner, so that an importing role needs no right to create tables. The arguments cannot make it create anything else.
--
-- A partition is created as a table and then attached, which blocks neither readers nor writers. CREATE TABLE ...
-- PARTITION OF would wait for every reader and block those that come later.
CREATE FUNCTION marketdata.ensure_partitions(parent text, times timestamptz[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    unit   text;
    format text;
    t      timestamptz;
    child  text;
BEGIN
    CASE parent
        WHEN 'bars' THEN unit := 'year'; format := 'YYYY';
        WHEN 'trades', 'quotes' THEN unit := 'month'; format := 'YYYY_MM';
        ELSE RAISE EXCEPTION 'no table % has partitions', parent USING ERRCODE = 'undefined_table';
    END CASE;
    FOREACH t IN ARRAY times LOOP
        t := date_trunc(unit, t);
        child := parent || '_' || to_char(t, format);
        IF marketdata.is_partition(parent, child) THEN
            CONTINUE;
        END IF;
        PERFORM pg_advisory_xact_lock(hashtextextended('marketdata partitions', 0)); -- released at the end of the transaction
        IF marketdata.is_partition(parent, child) THEN
            CONTINUE;
        END IF;
        EXECUTE format('CREATE TABLE marketdata.%I (LIKE marketdata.%I INCLUDING ALL)', child, parent);
        EXECUTE format('ALTER TABLE marketdata.%I ATTACH PARTITION marketdata.%I FOR VALUES FROM (%L) TO (%L)',
            parent, child, t, t + ('1 ' || unit)::interval);
    END LOOP;
END
$$;

CREATE FUNCTION marketdata.is_partition(parent text, child text) RETURNS boolean
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM pg_inherits
        WHERE inhparent = to_regclass(format('marketdata.%I', parent)) AND inhrelid = to_regclass(format('marketdata.%I', child)))
$$;

REVOKE ALL ON FUNCTION marketdata.ensure_partitions(text, timestamptz[]) FROM PUBLIC;
REVOKE ALL ON FUNCTION marketdata.is_partition(text, text) FROM PUBLIC;
