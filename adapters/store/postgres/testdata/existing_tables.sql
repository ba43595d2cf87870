-- An example of reading tables that a deployment has already, here instruments and candles, through views in the places of ours.
-- Nothing is written through them: let the store connect as a role that is granted USAGE on the schema and SELECT on the views.

CREATE SCHEMA marketdata;

-- id is the instrument's own number. Text is compared bytewise, tick and lot are 0 where nobody knows them, zone is an IANA name.
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

-- kind and grid are those of all the table's bars. A float becomes the decimal of its 15 digits; 0 trades are an unknown number of
-- them. Columns that are only renamed keep their index: (instrument_id, ts) is what reads need.
CREATE VIEW marketdata.bars AS
SELECT ts AS open_time,
       0::bigint AS trades,
       instrument_id AS symbol_id,
       'trade' COLLATE "C" AS kind,
       '1m' COLLATE "C" AS grid,
       o::numeric AS open,
       h::numeric AS high,
       l::numeric AS low,
       c::numeric AS close,
       vol AS volume
FROM public.candles;

-- Nobody claimed that these bars are complete: assumed says so. Each end is found by the index.
CREATE VIEW marketdata.extents AS
SELECT id AS symbol_id,
       'trade' COLLATE "C" AS kind,
       '1m' COLLATE "C" AS grid,
       first AS start_time,
       last + interval '1 minute' AS end_time,
       true AS assumed
FROM public.instruments CROSS JOIN LATERAL (SELECT min(ts) AS first, max(ts) AS last FROM public.candles WHERE instrument_id = id) ends
WHERE first IS NOT NULL;
