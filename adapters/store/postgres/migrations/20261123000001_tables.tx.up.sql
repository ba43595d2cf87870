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

-- A series is the bars of a symbol with one price type and grid, or its trades or quotes, whose grid is empty. Bars in
-- InfluxDB are a series of their own, without rows here: "ledger trade" is the kind of trade prices there. A write
-- locks the row of its series first, and gives it the next revision and a random nonce if it changes a row or the
-- coverage. Only remove_symbol deletes rows of series. uid is random: after a restore from a backup, the sequence may give an id
-- to another series.
CREATE TABLE marketdata.series (
    uid       bigint NOT NULL,
    revision  bigint NOT NULL DEFAULT 0,
    nonce     bigint NOT NULL DEFAULT 0,
    symbol_id integer NOT NULL,
    id        integer GENERATED ALWAYS AS IDENTITY,
    kind      text COLLATE "C" NOT NULL, -- a price type, "ledger " and one, trades or quotes
    grid      text COLLATE "C" NOT NULL,
    PRIMARY KEY (symbol_id, id),
    UNIQUE (symbol_id, kind, grid)
) WITH (fillfactor = 70); -- no index has a column that changes, so that an update needs only room in its page

-- The ranges that a series covers. They are disjoint and do not touch. inferred is for a view in place of this table:
-- it marks coverage that no writer declared.
CREATE TABLE marketdata.coverage (
    start_time timestamptz NOT NULL,
    end_time   timestamptz NOT NULL,
    symbol_id  integer NOT NULL,
    series_id  integer NOT NULL,
    inferred   boolean NOT NULL DEFAULT false,
    PRIMARY KEY (symbol_id, series_id, start_time)
) WITH (fillfactor = 70);

-- The blocks of a series that have rows. The layout of the blocks is that of domain.BlockLayout. revision and nonce are
-- those of the last write that changed a row of the block. tail has the nonces of the block's present version and of
-- versions before it since which rows were only added behind the last one, the newest first. hash is the sum of the
-- hashes of the rows (blockhash.OfBar), of bars in InfluxDB only.
CREATE TABLE marketdata.blocks (
    block     bigint NOT NULL,
    hash      bigint,
    last_time timestamptz NOT NULL, -- of the last row, like last_seq, which is 0 for bars
    last_seq  bigint NOT NULL,
    revision  bigint NOT NULL,
    nonce     bigint NOT NULL,
    symbol_id integer NOT NULL,
    series_id integer NOT NULL,
    rows      integer NOT NULL,
    tail      bigint[] NOT NULL,
    PRIMARY KEY (symbol_id, series_id, block)
) WITH (fillfactor = 70);

-- The writes to InfluxDB that are under way: see ledger.Ledger. id is random. A write that overlaps an expired intent takes
-- the range from it, so that an intent may be left with several parts. From took_start to took_end, bars were covered
-- before the intent and will be again; both are NULL where nothing was, and of a deletion.
CREATE TABLE marketdata.intents (
    id         bigint NOT NULL,
    start_time timestamptz NOT NULL,
    end_time   timestamptz NOT NULL,
    took_start timestamptz,
    took_end   timestamptz,
    expires    timestamptz NOT NULL,
    symbol_id  integer NOT NULL,
    series_id  integer NOT NULL,
    owner      text NOT NULL,
    PRIMARY KEY (symbol_id, series_id, start_time)
) WITH (fillfactor = 70);

-- There is no foreign key on symbols or series, because it would cost a lookup per bar. Writers insert the symbol and
-- the series first, and remove_symbol deletes only those without data. Columns of fixed width come first, because they then need no padding.
CREATE TABLE marketdata.bars (
    open_time timestamptz NOT NULL,
    trades    bigint NOT NULL,
    symbol_id integer NOT NULL,
    series_id integer NOT NULL,
    open      numeric NOT NULL,
    high      numeric NOT NULL,
    low       numeric NOT NULL,
    close     numeric NOT NULL,
    volume    numeric NOT NULL,
    PRIMARY KEY (symbol_id, series_id, open_time)
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

-- The one row of identity has a random secret of 32 bytes. The processes that use the database derive the keys from it
-- with which they authenticate values of a shared cache. gen_random_uuid draws 122 random bits each time.
CREATE TABLE marketdata.identity (
    id     boolean PRIMARY KEY DEFAULT true CHECK (id),
    secret bytea NOT NULL CHECK (length(secret) = 32)
);

INSERT INTO marketdata.identity (secret)
SELECT sha256(convert_to(concat(gen_random_uuid(), gen_random_uuid(), gen_random_uuid()), 'UTF8'));

-- The one row of influx_identity has the identity of the InfluxDB whose bars this database describes. Until the first
-- write to InfluxDB it is NULL, and then, not bound, the one that an InfluxDB without an identity gets.
CREATE TABLE marketdata.influx_identity (
    id       boolean PRIMARY KEY DEFAULT true CHECK (id),
    identity text COLLATE "C",
    is_bound boolean NOT NULL DEFAULT false
);

INSERT INTO marketdata.influx_identity DEFAULT VALUES;

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
