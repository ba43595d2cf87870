-- insertSymbols
INSERT INTO marketdata.symbols (symbol, venue, base, quote, tick, lot, zone)
SELECT symbol, venue, base, quote, tick::numeric, lot::numeric, zone
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
	AS u (symbol, venue, base, quote, tick, lot, zone)
ORDER BY symbol COLLATE "C"
ON CONFLICT (symbol) DO NOTHING;

-- upsertSymbols
INSERT INTO marketdata.symbols (symbol, venue, base, quote, tick, lot, zone)
SELECT symbol, venue, base, quote, tick::numeric, lot::numeric, zone
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
	AS u (symbol, venue, base, quote, tick, lot, zone)
ORDER BY symbol COLLATE "C"
ON CONFLICT (symbol) DO UPDATE
SET venue = excluded.venue, base = excluded.base, quote = excluded.quote, tick = excluded.tick, lot = excluded.lot,
	zone = excluded.zone;

-- removeSymbol
SELECT marketdata.remove_symbol($1);

-- lockNewSeries
SELECT pg_advisory_xact_lock_shared(hashtextextended('marketdata new series', 0));

-- symbolSearch all
SELECT symbol, venue, base, quote, tick::text, lot::text, zone FROM "marketdata"."symbols" AS "s" WHERE (symbol COLLATE "C" > $1) ORDER BY symbol COLLATE "C";

-- symbolSearch symbols
SELECT symbol, venue, base, quote, tick::text, lot::text, zone FROM "marketdata"."symbols" AS "s" WHERE (symbol COLLATE "C" > $1) AND (symbol = ANY($2)) ORDER BY symbol COLLATE "C";

-- symbolSearch pattern
SELECT symbol, venue, base, quote, tick::text, lot::text, zone FROM "marketdata"."symbols" AS "s" WHERE (symbol COLLATE "C" > $1) AND (symbol LIKE $2) ORDER BY symbol COLLATE "C";

-- symbolSearch symbols pattern limit
SELECT symbol, venue, base, quote, tick::text, lot::text, zone FROM "marketdata"."symbols" AS "s" WHERE (symbol COLLATE "C" > $1) AND (symbol = ANY($2)) AND (symbol LIKE $3) ORDER BY symbol COLLATE "C" LIMIT 7;
