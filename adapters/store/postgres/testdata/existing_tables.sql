-- An example of views that make existing tables readable, here instruments and candles. The whole file runs in an empty
-- database. Where the tables exist already, adapt the views to them and leave the tables out.

CREATE TABLE public.instruments (
    id integer PRIMARY KEY,
    exchange text NOT NULL,
    base text NOT NULL,
    quote text NOT NULL
);

CREATE TABLE public.candles (
    instrument_id integer REFERENCES public.instruments,
    ts timestamptz,
    o float8 NOT NULL,
    h float8 NOT NULL,
    l float8 NOT NULL,
    c float8 NOT NULL,
    vol numeric NOT NULL,
    PRIMARY KEY (instrument_id, ts)
);

-- The views replace the tables symbols, series, bars and coverage. All four are required, and no other table or view is.
-- They are read-only and keep no versions: let the store connect as a role that is granted USAGE on the schema and SELECT
-- on the views. Do not run marketdata migrate there.

CREATE SCHEMA marketdata;

-- id is the instrument's own number. Text is compared bytewise. A tick or lot of 0 means unknown. zone is an IANA name.
CREATE VIEW marketdata.symbols AS
SELECT id,
       (upper(exchange) || ':' || base || '/' || quote) COLLATE "C" AS symbol,
       upper(exchange) COLLATE "C" AS venue,
       base COLLATE "C" AS base,
       quote COLLATE "C" AS quote,
       0::numeric AS tick,
       0::numeric AS lot,
       'UTC' COLLATE "C" AS zone
FROM public.instruments;

-- A series is the bars of a symbol with one price type (kind) and grid. Its id identifies it within the symbol. All
-- candles have one price type and grid, so that each symbol has one series.
CREATE VIEW marketdata.series AS
SELECT id AS symbol_id,
       1 AS id,
       'trade' COLLATE "C" AS kind,
       '1m' COLLATE "C" AS grid
FROM public.instruments;

-- A cast of a float keeps 15 digits. 0 trades means that their number is unknown. Renamed columns keep their index; reads
-- need one on (instrument_id, ts).
CREATE VIEW marketdata.bars AS
SELECT ts AS open_time,
       0::bigint AS trades,
       instrument_id AS symbol_id,
       1 AS series_id,
       o::numeric AS open,
       h::numeric AS high,
       l::numeric AS low,
       c::numeric AS close,
       vol AS volume
FROM public.candles;

-- inferred is true, because no writer declared the bars as complete: the coverage spans from the first bar to the last.
-- The index finds both.
CREATE VIEW marketdata.coverage AS
SELECT id AS symbol_id,
       1 AS series_id,
       first AS start_time,
       last + interval '1 minute' AS end_time,
       true AS inferred
FROM public.instruments CROSS JOIN LATERAL (
    SELECT min(ts) AS first, max(ts) AS last FROM public.candles WHERE instrument_id = id
) ends
WHERE first IS NOT NULL;
